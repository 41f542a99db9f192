// C = max(A * B, 0) on a 4 x 2 array: a parent of one's own around generated Verilog.
// Operands go in as they are; the results lose what is below zero on their way out.
module relu_gemm (
  input         clk,
  input         rst,
  input  [32:0] a__payload,   // last, and 4 rows of 8 bits, row 0 lowest
  input         a__valid,
  output        a__ready,
  input  [16:0] b__payload,   // last, and 2 columns of 8 bits
  input         b__valid,
  output        b__ready,
  output [64:0] c__payload,   // last, and 2 columns of 32 bits
  output        c__valid,
  input         c__ready
);
  wire [64:0] result;

  gemm array (
    .clk(clk), .rst(rst),
    .a__payload(a__payload), .a__valid(a__valid), .a__ready(a__ready),
    .b__payload(b__payload), .b__valid(b__valid), .b__ready(b__ready),
    .c__payload(result), .c__valid(c__valid), .c__ready(c__ready)
  );

  assign c__payload = {
    result[64],
    result[63] ? 32'd0 : result[63:32],
    result[31] ? 32'd0 : result[31:0]
  };
endmodule
