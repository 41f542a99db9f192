/* Gate-level simulation, cycle by cycle, that counts how often each net changes.

   Without delays one pass over the gates in the order of their levels gives every net its settled
   value. With delays every gate that sees a change takes its time to follow; a pulse that is
   shorter than a gate's delay does not pass it (inertial delay), all others are counted. */

#include <stdint.h>
#include <string.h>

/* Gates come in runs of equal level and equal number of inputs. The value of a gate is looked up
   in its truth table, whose index has input i in bit i. */
typedef struct {
    int64_t nets, runs, flops;
    const int64_t *run_gates, *run_inputs; /* gates of each run, inputs of each of them */
    const int32_t *inputs, *output, *table; /* of the gates, one after the other */
    const uint8_t *tables;
    const int32_t *next, *state; /* of each flip-flop: what it takes, and what it drives */
    uint8_t *value, *before, *taken;
    uint32_t *toggles, *settled; /* of each net: all changes, and those of settled values */
    int64_t gates; /* clock gates: the enable of each, and the cycles in which it was 1 */
    const int32_t *enable;
    uint32_t *enabled;
    /* With delays: where the inputs of each gate begin, the gates that each net goes to, ticks
       until an output rises and falls; and gates about to change, in a list for each tick. */
    int64_t timed, pending;
    const int64_t *input_at, *sink_at;
    const int32_t *sinks;
    const uint16_t *delay;
    int32_t *due, *ahead, *behind, *first;
} netlist;

#define TICKS 4096 /* more than any delay */
#define NONE (-1)

/* One stream: its nets, and the bits of its beats, payload bit 0 first. */
typedef struct {
    int64_t width, beats;
    const int32_t *payload;
    int32_t valid, ready;
    uint8_t *bits;
} stream;

static inline const int32_t *pass(const netlist *n, const int32_t *in, int64_t from, int64_t to,
                                  int count) {
    for (int64_t gate = from; gate < to; gate++) {
        uint32_t index = 0;
        for (int i = 0; i < count; i++)
            index |= (uint32_t)n->value[in[i]] << i;
        n->value[n->output[gate]] = n->tables[n->table[gate] + index];
        in += count;
    }
    return in;
}

static void pass_all(const netlist *n) {
    const int32_t *in = n->inputs;
    int64_t gate = 0;
    for (int64_t run = 0; run < n->runs; run++) {
        int64_t end = gate + n->run_gates[run];
        switch (n->run_inputs[run]) { /* a count that the compiler knows unrolls the loop */
        case 1: in = pass(n, in, gate, end, 1); break;
        case 2: in = pass(n, in, gate, end, 2); break;
        case 3: in = pass(n, in, gate, end, 3); break;
        case 4: in = pass(n, in, gate, end, 4); break;
        case 5: in = pass(n, in, gate, end, 5); break;
        default: in = pass(n, in, gate, end, (int)n->run_inputs[run]); break;
        }
        gate = end;
    }
}

/* The value that a gate's inputs ask for. */
static inline uint8_t wanted(const netlist *n, int32_t gate) {
    uint32_t index = 0;
    for (int64_t at = n->input_at[gate]; at < n->input_at[gate + 1]; at++)
        index |= (uint32_t)n->value[n->inputs[at]] << (at - n->input_at[gate]);
    return n->tables[n->table[gate] + index];
}

static inline void forget(netlist *n, int32_t gate) {
    int32_t ahead = n->ahead[gate], behind = n->behind[gate];
    if (ahead == NONE)
        n->first[n->due[gate]] = behind;
    else
        n->behind[ahead] = behind;
    if (behind != NONE)
        n->ahead[behind] = ahead;
    n->due[gate] = NONE;
    n->pending--;
}

static inline void expect(netlist *n, int32_t gate, int32_t slot) {
    int32_t behind = n->first[slot];
    n->due[gate] = slot;
    n->ahead[gate] = NONE;
    n->behind[gate] = behind;
    if (behind != NONE)
        n->ahead[behind] = gate;
    n->first[slot] = gate;
    n->pending++;
}

/* Change a net at a tick; gates that it goes to change later, or stay as they were after all. */
static void set(netlist *n, int32_t net, uint8_t value, int64_t now) {
    if (n->value[net] == value)
        return;
    n->value[net] = value;
    if (!n->timed)
        return;
    n->toggles[net]++;
    for (int64_t at = n->sink_at[net]; at < n->sink_at[net + 1]; at++) {
        int32_t gate = n->sinks[at];
        uint8_t next = wanted(n, gate);
        if (next == n->value[n->output[gate]]) {
            if (n->due[gate] != NONE)
                forget(n, gate);
        } else if (n->due[gate] == NONE) {
            expect(n, gate, (int32_t)((now + n->delay[2 * gate + !next]) % TICKS));
        }
    }
}

static void settle(netlist *n) {
    if (!n->timed) {
        pass_all(n);
        return;
    }
    for (int64_t now = 0; n->pending; now++)
        for (int32_t gate; (gate = n->first[now % TICKS]) != NONE;) {
            forget(n, gate);
            int32_t net = n->output[gate];
            set(n, net, !n->value[net], now);
        }
}

static void rising_edge(netlist *n) {
    for (int64_t i = 0; i < n->flops; i++)
        n->taken[i] = n->value[n->next[i]];
    for (int64_t i = 0; i < n->flops; i++)
        set(n, n->state[i], n->taken[i], 0);
}

/* Compare the settled values with those of the cycle before; see which clocks get through. */
static void count(netlist *n) {
    for (int64_t i = 0; i < n->nets; i++)
        n->settled[i] += n->value[i] ^ n->before[i];
    for (int64_t i = 0; i < n->gates; i++)
        n->enabled[i] += n->value[n->enable[i]];
}

/* Offer the next beat of an input; when there is none, the payload stays as it is. */
static void offer(netlist *n, const stream *s, int64_t sent) {
    set(n, s->valid, sent < s->beats, 0);
    if (sent < s->beats)
        for (int64_t i = 0; i < s->width; i++)
            set(n, s->payload[i], s->bits[sent * s->width + i], 0);
}

/* Send all beats of the two inputs, never stalling, until the output has given all of its own.

   Toggles are counted from the cycle in which the first operand is taken to that in which the last
   result is. Returns the number of these cycles, or -1 where `limit` cycles do not suffice. */
int64_t run_streams(netlist *n, int32_t reset, int64_t resets, const stream *in, stream *out,
                    int64_t limit) {
    int64_t sent[2] = {0, 0}, got = 0, cycles = 0, timed = n->timed;
    n->timed = 0; /* before the reset values may be any: nothing to follow */
    n->value[out->ready] = 1;
    n->value[reset] = 1;
    for (int64_t i = 0; i < resets; i++) {
        for (int s = 0; s < 2; s++)
            n->value[in[s].valid] = 0;
        settle(n);
        rising_edge(n);
    }
    n->value[reset] = 0;
    settle(n);
    n->timed = timed;
    memcpy(n->before, n->value, (size_t)n->nets);
    for (int64_t cycle = 0; cycle < limit; cycle++) {
        int taken[2];
        for (int s = 0; s < 2; s++)
            offer(n, &in[s], sent[s]);
        settle(n);
        for (int s = 0; s < 2; s++)
            taken[s] = n->value[in[s].valid] & n->value[in[s].ready];
        if (cycles || taken[0] || taken[1]) {
            cycles++;
            count(n);
        }
        memcpy(n->before, n->value, (size_t)n->nets);
        for (int s = 0; s < 2; s++)
            sent[s] += taken[s];
        if (n->value[out->valid]) {
            for (int64_t i = 0; i < out->width; i++)
                out->bits[got * out->width + i] = n->value[out->payload[i]];
            if (++got == out->beats)
                return cycles;
        }
        if (!cycles)
            memset(n->toggles, 0, (size_t)n->nets * sizeof *n->toggles);
        rising_edge(n);
    }
    return -1;
}

/* Set the given inputs cycle by cycle, and keep the settled values of the given nets.

   Toggles are counted from the second cycle on: the first has nothing to compare with. */
void run_trace(netlist *n, int64_t cycles, int64_t driven, const int32_t *drive,
               const uint8_t *values, int64_t watched, const int32_t *watch, uint8_t *seen) {
    int64_t timed = n->timed;
    for (int64_t cycle = 0; cycle < cycles; cycle++) {
        n->timed = cycle ? timed : 0;
        for (int64_t i = 0; i < driven; i++)
            set(n, drive[i], values[cycle * driven + i], 0);
        settle(n);
        for (int64_t i = 0; i < watched; i++)
            seen[cycle * watched + i] = n->value[watch[i]];
        if (cycle)
            count(n);
        memcpy(n->before, n->value, (size_t)n->nets);
        n->timed = timed;
        rising_edge(n);
    }
}
