// 4 x 4 of them; operands are broadcast, which only buffers between the modules can carry.
module pe_array(input clk, input rst, input en, input clr, input [31:0] a, input [31:0] b,
                input [3:0] row, output reg [31:0] y);
  reg [31:0] aq, bq;
  reg enq, clrq;
  wire [31:0] acc [0:15];
  always @(posedge clk)
    if (rst) begin aq <= 0; bq <= 0; enq <= 0; clrq <= 0; y <= 0; end
    else begin aq <= a; bq <= b; enq <= en; clrq <= clr; y <= acc[row]; end
  genvar i, j;
  generate for (i = 0; i < 4; i = i + 1) for (j = 0; j < 4; j = j + 1)
    mac_pe pe(.clk(clk), .rst(rst), .en(enq), .clr(clrq), .a(aq[8*i +: 8]), .b(bq[8*j +: 8]),
              .a_q(), .b_q(), .acc(acc[4*i + j]));
  endgenerate
endmodule
