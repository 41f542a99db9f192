// A little of everything: carry chain, multiplexer, parity, majority, enable, synchronous reset.
module small(input clk, input rst, input en, input [3:0] a, input [3:0] b, input s,
             output reg [7:0] q, output reg [4:0] r, output reg [3:0] e, output t);
  wire [3:0] m = s ? a : b;
  assign t = ^{q, s};
  always @(posedge clk) begin
    if (rst) q <= 0; else if (en) q <= q + a * b;
    r <= {(a[0] & b[0]) | (a[0] & m[0]) | (b[0] & m[0]), m ^ {4{q[7]}}};
    if (en | rst) e <= a ^ q[3:0];
  end
endmodule
