// Random tiles with random stalls on all three streams, against products written out in Verilog.
`timescale 1ns / 1ps
module testbench;
  localparam ROWS = 4, COLS = 2, DEEP = 7, TILES = 20;

  reg clk = 0, rst = 1;
  always #5 clk = ~clk;

  reg signed [7:0] A [0:TILES*DEEP*ROWS-1];   // [tile][k][row], the order of the beats
  reg signed [7:0] B [0:TILES*DEEP*COLS-1];   // [tile][k][column]
  reg [32:0] a_payload; reg a_valid = 0; wire a_ready;
  reg [16:0] b_payload; reg b_valid = 0; wire b_ready;
  wire [64:0] c_payload; wire c_valid; reg c_ready = 0;

  relu_gemm dut (
    .clk(clk), .rst(rst),
    .a__payload(a_payload), .a__valid(a_valid), .a__ready(a_ready),
    .b__payload(b_payload), .b__valid(b_valid), .b__ready(b_ready),
    .c__payload(c_payload), .c__valid(c_valid), .c__ready(c_ready)
  );

  integer i, k, tile, row, col, sum, errors = 0;
  integer a_at = 0, b_at = 0, c_at = 0, idle = 0;
  reg a_taken, b_taken;

  initial begin
    for (i = 0; i < TILES*DEEP*ROWS; i = i + 1) A[i] = $random;
    for (i = 0; i < TILES*DEEP*COLS; i = i + 1) B[i] = $random;
    repeat (3) @(negedge clk);
    rst = 0;
  end

  // Signals change at the falling edge; a transfer is what the rising edge then sees.
  always @(negedge clk) if (!rst) begin
    if (!a_valid && a_at < TILES*DEEP && $random % 3 != 0) begin
      for (i = 0; i < ROWS; i = i + 1) a_payload[8*i +: 8] = A[a_at*ROWS + i];
      a_payload[32] = a_at % DEEP == DEEP - 1;
      a_valid = 1;
    end
    if (!b_valid && b_at < TILES*DEEP && $random % 4 != 0) begin
      for (i = 0; i < COLS; i = i + 1) b_payload[8*i +: 8] = B[b_at*COLS + i];
      b_payload[16] = b_at % DEEP == DEEP - 1;
      b_valid = 1;
    end
    c_ready = $random % 2 != 0;
    #4;  // just before the rising edge, all is settled
    a_taken = a_valid && a_ready;
    b_taken = b_valid && b_ready;
    idle = a_taken || b_taken || (c_valid && c_ready) ? 0 : idle + 1;
    if (c_valid && c_ready) begin check; c_at = c_at + 1; end
    #2;  // just after it: what was taken goes away
    if (a_taken) begin a_at = a_at + 1; a_valid = 0; end
    if (b_taken) begin b_at = b_at + 1; b_valid = 0; end
    if (idle > 1000) begin $display("FAIL: nothing moves"); $finish; end
    if (c_at == TILES*ROWS) begin
      if (errors == 0) $display("PASS: %0d tiles", TILES);
      else $display("FAIL: %0d errors", errors);
      $finish;
    end
  end

  task check;
    begin
      tile = c_at / ROWS;
      row = c_at % ROWS;
      for (col = 0; col < COLS; col = col + 1) begin
        sum = 0;
        for (k = 0; k < DEEP; k = k + 1)
          sum = sum + A[(tile*DEEP + k)*ROWS + row] * B[(tile*DEEP + k)*COLS + col];
        if (sum < 0) sum = 0;
        if (c_payload[32*col +: 32] !== sum) begin
          $display("FAIL: tile %0d row %0d column %0d: %0d, not %0d",
                   tile, row, col, $signed(c_payload[32*col +: 32]), sum);
          errors = errors + 1;
        end
      end
      if (c_payload[64] !== (c_at % ROWS == ROWS - 1)) begin
        $display("FAIL: last of beat %0d", c_at);
        errors = errors + 1;
      end
    end
  endtask
endmodule
