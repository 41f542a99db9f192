// Sends random 4 x 4 matrices and wants them back, row by row.
`timescale 1ns / 1ps
module testbench;
  localparam TILES = 10;

  reg aclk = 0, aresetn = 0;
  always #5 aclk = ~aclk;

  reg [31:0] columns [0:4*TILES-1];  // a beat is a column of A
  integer i, j, sent = 0, got = 0, errors = 0, cycles = 0;
  wire ready, valid, last;
  wire [127:0] c;

  dot dut (
    .aclk(aclk), .aresetn(aresetn),
    .s_axis_a_tdata(columns[sent % (4*TILES)]), .s_axis_a_tvalid(aresetn && sent < 4*TILES),
    .s_axis_a_tready(ready), .s_axis_a_tlast(sent % 4 == 3),
    .m_axis_c_tdata(c), .m_axis_c_tvalid(valid), .m_axis_c_tready(1'b1), .m_axis_c_tlast(last)
  );

  initial begin
    for (i = 0; i < 4*TILES; i = i + 1) columns[i] = $random;
    repeat (3) @(posedge aclk);
    #1 aresetn = 1;
  end

  // Just before each rising edge.
  always @(negedge aclk) if (aresetn) begin
    #4;
    if (valid) begin
      for (j = 0; j < 4; j = j + 1)
        if ($signed(c[32*j +: 32]) !== $signed(columns[4*(got / 4) + j][8*(got % 4) +: 8]))
          errors = errors + 1;
      if (last !== (got % 4 == 3)) errors = errors + 1;
      got = got + 1;
    end
    if (ready && sent < 4*TILES) begin #2; sent = sent + 1; end
    cycles = cycles + 1;
    if (got == 4*TILES || cycles == 1000) begin
      if (got == 4*TILES && errors == 0) $display("PASS: %0d rows", got);
      else $display("FAIL: %0d rows, %0d errors", got, errors);
      $finish;
    end
  end
endmodule
