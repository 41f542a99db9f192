/* Gate-level simulation, cycle by cycle, that counts how often each net changes.

   Without delays one pass over the gates in the order of their levels gives every net its settled
   value. With delays every gate that sees a change takes its time to follow; a pulse that is
   shorter than a gate's delay does not pass it (inertial delay), all others are counted. */

#include <stdint.h>
#include <string.h>

/* A gate with delays, all that a change of an input needs in one place. */
typedef struct {
    uint32_t table;        /* its first entry in the truth tables */
    uint16_t index;        /* the values of its inputs, input i in bit i */
    uint16_t value;        /* of its output */
    int32_t output;        /* the net that it drives */
    uint16_t delay[2];     /* ticks until that falls, and rises */
    int32_t due;           /* the tick of its next change, or NONE */
    int32_t ahead, behind; /* neighbours in the list of that tick */
} timed_gate;

/* Where a net goes to: a gate, and which of its inputs. */
typedef struct {
    int32_t gate;
    uint32_t inputs;
} sink;

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
    /* With delays: the gates, where the sinks of each net begin, and gates about to change, in a
       list for each tick. */
    int64_t timed, pending;
    timed_gate *timed_gates;
    const int32_t *sink_at;
    const sink *sinks;
    int32_t *first;
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

/* From here on gates follow their inputs one change at a time. */
static void go_by_time(netlist *n) {
    timed_gate *gate = n->timed_gates;
    const int32_t *in = n->inputs;
    for (int64_t run = 0; run < n->runs; run++)
        for (int64_t i = 0; i < n->run_gates[run]; i++, gate++) {
            gate->index = 0;
            for (int64_t k = 0; k < n->run_inputs[run]; k++)
                gate->index |= (uint16_t)(n->value[*in++] << k);
            gate->value = n->value[gate->output];
        }
    n->timed = 1;
}

static inline void forget(netlist *n, timed_gate *gate) {
    if (gate->ahead == NONE)
        n->first[gate->due] = gate->behind;
    else
        n->timed_gates[gate->ahead].behind = gate->behind;
    if (gate->behind != NONE)
        n->timed_gates[gate->behind].ahead = gate->ahead;
    gate->due = NONE;
    n->pending--;
}

static inline void expect(netlist *n, int32_t at, int32_t slot) {
    timed_gate *gate = n->timed_gates + at;
    gate->due = slot;
    gate->ahead = NONE;
    gate->behind = n->first[slot];
    if (gate->behind != NONE)
        n->timed_gates[gate->behind].ahead = at;
    n->first[slot] = at;
    n->pending++;
}

/* A net has changed at a tick; its gates change later, or stay as they were after all. */
static inline void follow(netlist *n, int32_t net, int64_t now) {
    n->toggles[net]++;
    const sink *begin = n->sinks + n->sink_at[net], *end = n->sinks + n->sink_at[net + 1];
    for (const sink *s = begin; s < end; s++)
        __builtin_prefetch(n->timed_gates + s->gate, 1);
    for (const sink *s = begin; s < end; s++) {
        timed_gate *gate = n->timed_gates + s->gate;
        gate->index ^= (uint16_t)s->inputs;
        uint8_t next = n->tables[gate->table + gate->index];
        if (next == gate->value) {
            if (gate->due != NONE)
                forget(n, gate);
        } else if (gate->due == NONE) {
            expect(n, s->gate, (int32_t)((now + gate->delay[next]) % TICKS));
        }
    }
}

static inline void set(netlist *n, int32_t net, uint8_t value) {
    if (n->value[net] == value)
        return;
    n->value[net] = value;
    if (n->timed)
        follow(n, net, 0);
}

static void settle(netlist *n) {
    if (!n->timed) {
        pass_all(n);
        return;
    }
    for (int64_t now = 0; n->pending; now++)
        for (int32_t at; (at = n->first[now % TICKS]) != NONE;) {
            timed_gate *gate = n->timed_gates + at;
            forget(n, gate);
            if (gate->behind != NONE)
                __builtin_prefetch(n->sink_at + n->timed_gates[gate->behind].output);
            gate->value ^= 1;
            n->value[gate->output] = (uint8_t)gate->value;
            follow(n, gate->output, now);
        }
}

static void rising_edge(netlist *n) {
    for (int64_t i = 0; i < n->flops; i++)
        n->taken[i] = n->value[n->next[i]];
    for (int64_t i = 0; i < n->flops; i++)
        set(n, n->state[i], n->taken[i]);
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
    set(n, s->valid, sent < s->beats);
    if (sent < s->beats)
        for (int64_t i = 0; i < s->width; i++)
            set(n, s->payload[i], s->bits[sent * s->width + i]);
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
    if (timed)
        go_by_time(n);
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
    n->timed = 0; /* the values of the first cycle come from nowhere */
    for (int64_t cycle = 0; cycle < cycles; cycle++) {
        for (int64_t i = 0; i < driven; i++)
            set(n, drive[i], values[cycle * driven + i]);
        settle(n);
        for (int64_t i = 0; i < watched; i++)
            seen[cycle * watched + i] = n->value[watch[i]];
        if (cycle)
            count(n);
        memcpy(n->before, n->value, (size_t)n->nets);
        if (!cycle && timed)
            go_by_time(n);
        rising_edge(n);
    }
}
