// The same with a carry-save accumulator: one row of full adders instead of a carry chain.
module csa_pe(input clk, input rst, input en, input clr, input [7:0] a, input [7:0] b,
              output reg [7:0] a_q, output reg [7:0] b_q, output reg [31:0] s, output reg [31:0] c);
  wire signed [15:0] p = $signed(a_q) * $signed(b_q);
  wire [31:0] x = {{16{p[15]}}, p}, y = clr ? 32'd0 : s, z = clr ? 32'd0 : c;
  wire [31:0] carry = (x & y) | (x & z) | (y & z);
  always @(posedge clk) begin
    if (rst) begin a_q <= 0; b_q <= 0; s <= 0; c <= 0; end
    else if (en) begin a_q <= a; b_q <= b; s <= x ^ y ^ z; c <= {carry[30:0], 1'b0}; end
  end
endmodule
