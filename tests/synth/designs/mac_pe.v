module mac_pe(input clk, input rst, input en, input clr, input [7:0] a, input [7:0] b, output reg [7:0] a_q, output reg [7:0] b_q, output reg [31:0] acc);
  wire signed [15:0] p = $signed(a_q) * $signed(b_q);
  wire signed [31:0] px = p;
  always @(posedge clk) begin
    if (rst) begin a_q <= 0; b_q <= 0; acc <= 0; end
    else if (en) begin a_q <= a; b_q <= b; acc <= (clr ? 32'd0 : acc) + px; end
  end
endmodule
