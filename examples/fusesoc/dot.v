// The array that gemm.core asks for, behind AXI4-Stream, with B fixed to the unit matrix: C is A.
module dot (
  input          aclk,
  input          aresetn,
  input  [31:0]  s_axis_a_tdata,   // 4 rows, a byte each
  input          s_axis_a_tvalid,
  output         s_axis_a_tready,
  input          s_axis_a_tlast,
  output [127:0] m_axis_c_tdata,   // 4 columns of 32 bits
  output         m_axis_c_tvalid,
  input          m_axis_c_tready,
  output         m_axis_c_tlast
);
  // Which k is next decides which element of the unit matrix's row is one.
  reg [1:0] k;
  wire b_ready;
  always @(posedge aclk)
    if (!aresetn) k <= 2'd0;
    else if (b_ready) k <= k + 2'd1;

  array_axis array (
    .aclk(aclk), .aresetn(aresetn),
    .s_axis_a_tdata(s_axis_a_tdata), .s_axis_a_tvalid(s_axis_a_tvalid),
    .s_axis_a_tready(s_axis_a_tready), .s_axis_a_tlast(s_axis_a_tlast),
    .s_axis_b_tdata(32'd1 << {k, 3'd0}), .s_axis_b_tvalid(aresetn),
    .s_axis_b_tready(b_ready), .s_axis_b_tlast(k == 2'd3),
    .m_axis_c_tdata(m_axis_c_tdata), .m_axis_c_tvalid(m_axis_c_tvalid),
    .m_axis_c_tready(m_axis_c_tready), .m_axis_c_tlast(m_axis_c_tlast)
  );
endmodule
