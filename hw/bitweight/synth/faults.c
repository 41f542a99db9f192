/* Faulty copies of a netlist, 256 at once: every net is a word with one bit for each copy.

   All copies get the same inputs, cycle by cycle, and their outputs are compared with what is
   expected. A copy that differs is out; when all are, the run ends. */

#include <stdint.h>
#include <string.h>

#define COPIES 256
#define WORDS (COPIES / 64)
#define ANY 2   /* of an expected bit */
#define NONE (-1)
#define MOST_INPUTS 12

/* GCC and Clang make of it whatever the machine has. Aligned as the arrays of NumPy are. */
typedef uint64_t word __attribute__((vector_size(COPIES / 8), aligned(8)));

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define BEST_TARGET __attribute__((target_clones("avx2", "default")))
#else
#define BEST_TARGET
#endif
#define INLINE static inline __attribute__((always_inline))

/* Gates come in runs of equal level and equal number of inputs. A truth table has input i in bit i
   of its index. */
typedef struct {
    int64_t runs, flops;
    const int64_t *run_gates, *run_inputs;
    const int32_t *inputs, *output, *table;
    const uint8_t *tables;
    const int32_t *next, *state;
    word *value, *taken;
    /* Of each gate its first fault, or NONE; of each fault the next one of the same gate, the copy
       that has it, and its truth table. */
    const int32_t *first, *following, *copy, *faulty;
    const uint8_t *faulty_tables;
} netlist;

static const uint64_t spread[2] = {0, ~(uint64_t)0};

INLINE word all(int bit) {
    uint64_t one = spread[bit];
    return (word){one, one, one, one};
}

/* One input after the other halves the truth table. */
INLINE word look_up(const uint8_t *table, const word *value, const int32_t *in, int count) {
    word half[1 << (MOST_INPUTS - 1)];
    int left = 1 << (count - 1);
    word input = value[in[0]];
    for (int i = 0; i < left; i++)
        half[i] = all(table[2 * i]) ^ (input & all(table[2 * i] ^ table[2 * i + 1]));
    for (int at = 1; at < count; at++) {
        left /= 2;
        input = value[in[at]];
        for (int i = 0; i < left; i++)
            half[i] = half[2 * i] ^ (input & (half[2 * i] ^ half[2 * i + 1]));
    }
    return half[0];
}

/* Give the copies in which a gate is another one what it makes of its inputs there. */
static void mend(const netlist *n, int32_t fault, const int32_t *in, int count, word *result) {
    uint64_t bits[WORDS];
    memcpy(bits, result, sizeof bits);
    for (; fault != NONE; fault = n->following[fault]) {
        int place = n->copy[fault] / 64, shift = n->copy[fault] % 64;
        uint32_t index = 0;
        for (int i = 0; i < count; i++)
            index |= (uint32_t)(n->value[in[i]][place] >> shift & 1) << i;
        bits[place] &= ~((uint64_t)1 << shift);
        bits[place] |= (uint64_t)n->faulty_tables[n->faulty[fault] + index] << shift;
    }
    memcpy(result, bits, sizeof bits);
}

INLINE const int32_t *pass(const netlist *n, const int32_t *in, int64_t from, int64_t to,
                           int count) {
    for (int64_t gate = from; gate < to; gate++) {
        word result = look_up(n->tables + n->table[gate], n->value, in, count);
        if (n->first[gate] != NONE)
            mend(n, n->first[gate], in, count, &result);
        n->value[n->output[gate]] = result;
        in += count;
    }
    return in;
}

INLINE void settle(const netlist *n) {
    const int32_t *in = n->inputs;
    int64_t gate = 0;
    for (int64_t run = 0; run < n->runs; run++) {
        int64_t end = gate + n->run_gates[run];
        switch (n->run_inputs[run]) { /* a count that the compiler knows unrolls the loops */
        case 0: /* a constant: its value is there from the beginning, unless it is faulty */
            for (int64_t i = gate; i < end; i++) {
                word result = all(n->tables[n->table[i]]);
                if (n->first[i] != NONE)
                    mend(n, n->first[i], in, 0, &result);
                n->value[n->output[i]] = result;
            }
            break;
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

/* Take out the copies in which a net is not as it must be. */
INLINE void compare(const netlist *n, int32_t net, word wanted, int64_t now, int64_t at,
                    uint64_t *alive, int64_t *cycle, int64_t *bit) {
    word differing = n->value[net] ^ wanted;
    for (int place = 0; place < WORDS; place++) {
        uint64_t out = differing[place] & alive[place];
        alive[place] &= ~out;
        for (; out; out &= out - 1) {
            int copy = 64 * place + __builtin_ctzll(out);
            cycle[copy] = now;
            bit[copy] = at;
        }
    }
}

/* Tell whether copy 0 is still right, and any other too. */
INLINE int some(const uint64_t *alive) {
    uint64_t left = alive[0] & ~(uint64_t)1;
    for (int place = 1; place < WORDS; place++)
        left |= alive[place];
    return left && (alive[0] & 1);
}

INLINE void edge(const netlist *n) {
    for (int64_t i = 0; i < n->flops; i++)
        n->taken[i] = n->value[n->next[i]];
    for (int64_t i = 0; i < n->flops; i++)
        n->value[n->state[i]] = n->taken[i];
}

/* Run all copies. `expected` has the watched bits of each cycle: 0, 1 or ANY.

   Of each copy that differs, `cycle` and `bit` say where it did so first. Copy 0 ends the run, and
   so does the last one of `alive`. Returns the cycles that were run. */
BEST_TARGET
int64_t run_faults(const netlist *n, int64_t cycles, int64_t driven, const int32_t *drive,
                   const uint8_t *values, int64_t watched, const int32_t *watch,
                   const uint8_t *expected, uint64_t *alive, int64_t *cycle, int64_t *bit) {
    for (int64_t now = 0; now < cycles; now++) {
        for (int64_t i = 0; i < driven; i++)
            n->value[drive[i]] = all(values[now * driven + i]);
        settle(n);
        for (int64_t i = 0; i < watched; i++) {
            uint8_t wanted = expected[now * watched + i];
            if (wanted != ANY)
                compare(n, watch[i], all(wanted), now, i, alive, cycle, bit);
        }
        if (!some(alive))
            return now + 1;
        edge(n);
    }
    return cycles;
}

/* A stream of the netlist: of a source its beats, of the sink the space for them. A source offers
   a beat, and the sink is ready, with a chance of `pace` in 65536; a beat that is offered stays. */
typedef struct {
    int64_t width, beats, moved;
    const int32_t *payload;
    int32_t valid, ready;
    uint8_t *bits;
    uint32_t pace;
} stream;

/* xorshift64, Marsaglia 2003. */
static int chance(uint64_t *state, uint32_t pace) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32 & 0xffff) < pace;
}

/* Reset all copies, then stream beats through them until the sink is full or the cycles are over.

   Copy 0 has no fault: what it says moves the streams, and what it gives is expected of the others,
   the payload of results where they are valid. What moves in a reset does not count. `blind` cycles
   at first are not compared. A copy that differs is told with the place of the port among ready of both sources, valid, payload.
   Returns the cycles that were run. */
BEST_TARGET
int64_t run_episode(const netlist *n, int32_t reset, int64_t resets, int64_t blind, int64_t cycles,
                    stream *sources, stream *sink, uint64_t seed, uint64_t *alive, int64_t *cycle,
                    int64_t *bit) {
    int offered[2] = {0, 0};
    for (int64_t now = 0; now < cycles; now++) {
        int held = now < resets;
        n->value[reset] = all(held);
        for (int at = 0; at < 2; at++) {
            stream *s = &sources[at];
            offered[at] = s->moved < s->beats && (offered[at] || chance(&seed, s->pace));
            n->value[s->valid] = all(offered[at]);
            const uint8_t *beat = s->bits + (s->moved < s->beats ? s->moved : 0) * s->width;
            for (int64_t i = 0; i < s->width; i++)
                n->value[s->payload[i]] = all(beat[i]);
        }
        int taking = chance(&seed, sink->pace);
        n->value[sink->ready] = all(taking);
        settle(n);
        int valid = n->value[sink->valid][0] & 1;
        if (now >= blind) {
            for (int at = 0; at < 2; at++)
                compare(n, sources[at].ready, all(n->value[sources[at].ready][0] & 1), now, at,
                        alive, cycle, bit);
            compare(n, sink->valid, all(valid), now, 2, alive, cycle, bit);
            for (int64_t i = 0; valid && i < sink->width; i++)
                compare(n, sink->payload[i], all(n->value[sink->payload[i]][0] & 1), now, 3, alive,
                        cycle, bit);
        }
        for (int at = 0; at < 2; at++)
            if (held || (offered[at] && n->value[sources[at].ready][0] & 1)) {
                sources[at].moved += !held;
                offered[at] = 0;
            }
        if (taking && valid && !held) {
            uint8_t *beat = sink->bits + sink->moved++ * sink->width;
            for (int64_t i = 0; i < sink->width; i++)
                beat[i] = n->value[sink->payload[i]][0] & 1;
        }
        edge(n);
        if (!some(alive) || sink->moved == sink->beats)
            return now + 1;
    }
    return cycles;
}
