// Drives the streams of one design: the same text for every design, whose ports.h says how wide
// they are. It is loaded by library.py, and the layout of Exchange is that of the class there.
//
// A cycle is two evaluations. With the clock low, inputs change and what depends on them settles;
// then handshakes are read, as a flip-flop would see them at the rising edge that follows.

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "Vdut.h"
#include "ports.h"  // A_LANES, A_BITS, B_LANES, ..., BITWEIGHT_TRACE
#include "verilated.h"
#if BITWEIGHT_TRACE == 1
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#elif BITWEIGHT_TRACE == 2
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

// Verilator would end the process, and Python with it.
[[noreturn]] static void stopped(const char* file, int line, const char* message) {
    const char* slash = std::strrchr(file, '/');
    throw std::runtime_error(std::string(slash ? slash + 1 : file) + ":" + std::to_string(line) +
                             ": " + message);
}
void vl_fatal(const char* file, int line, const char*, const char* message) VL_MT_UNSAFE {
    stopped(file, line, message);
}
void vl_stop(const char* file, int line, const char*) VL_MT_UNSAFE {
    stopped(file, line, "$stop");
}
void vl_finish(const char* file, int line, const char*) VL_MT_UNSAFE {
    stopped(file, line, "$finish");
}

namespace {

// Matrix elements wait in arrays of 16 bits, results in arrays of 64.
static_assert(A_BITS <= 16 && B_BITS <= 16 && C_BITS <= 64, "elements are wider than their arrays");

// A payload: `lanes` elements of `bits` bits, lane 0 lowest, then the flag `last`.
template <int lanes, int bits>
struct Beat {
    static constexpr int words = (lanes * bits) / 32 + 1;
    // Two words more, so that an element may be read and written as if it reached into them.
    uint32_t word[words + 2] = {};

    void pack(const int16_t* element, bool last) {
        constexpr uint32_t mask = (1u << (bits < 32 ? bits : 31)) - 1;
        std::memset(word, 0, sizeof word);
        for (int lane = 0; lane < lanes; ++lane) {
            const int at = lane * bits;
            const uint64_t value = static_cast<uint64_t>(static_cast<uint32_t>(element[lane]) & mask)
                                   << (at % 32);
            word[at / 32] |= static_cast<uint32_t>(value);
            word[at / 32 + 1] |= static_cast<uint32_t>(value >> 32);
        }
        word[lanes * bits / 32] |= static_cast<uint32_t>(last) << (lanes * bits % 32);
    }

    bool unpack(int64_t* element) const {
        for (int lane = 0; lane < lanes; ++lane) {
            const int at = lane * bits, low = at % 32;
            uint64_t value = (word[at / 32] | static_cast<uint64_t>(word[at / 32 + 1]) << 32) >> low;
            if (low + bits > 64) value |= static_cast<uint64_t>(word[at / 32 + 2]) << (64 - low);
            element[lane] = static_cast<int64_t>(value << (64 - bits)) >> (64 - bits);
        }
        return word[lanes * bits / 32] >> (lanes * bits % 32) & 1;
    }

    // What a stream that offers nothing shows: a design that looks at it computes nonsense.
    void invert() {
        for (int i = 0; i < words; ++i) word[i] = ~word[i];
        const int top = (lanes * bits + 1) % 32;
        if (top) word[words - 1] &= (1u << top) - 1;
    }

    template <class Port>  // of up to 64 bits
    void to(Port& port) const {
        uint64_t value = word[0];
        if (words > 1) value |= static_cast<uint64_t>(word[1]) << 32;
        port = static_cast<Port>(value);
    }
    template <std::size_t size>
    void to(VlWide<size>& port) const {
        std::memcpy(&port[0], word, size * sizeof(uint32_t));
    }
    template <class Port>
    void from(const Port& port) {
        const uint64_t value = port;
        word[0] = static_cast<uint32_t>(value);
        if (words > 1) word[1] = static_cast<uint32_t>(value >> 32);
    }
    template <std::size_t size>
    void from(const VlWide<size>& port) {
        std::memcpy(word, &port[0], size * sizeof(uint32_t));
    }
};

struct Stalls {
    uint64_t threshold;  // probability × 2^64
    uint64_t state;
    int64_t cycles;  // in which a beat was held up by a stall
    int64_t waits;   // in which the design did not take it

    bool roll() {  // splitmix64
        if (!threshold) return false;
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return (z ^ (z >> 31)) < threshold;
    }
};

struct Source {
    const int16_t* data;  // [count, lanes]
    const uint8_t* last;  // [count]
    int64_t count, at;    // beats that are there, and how many of them were offered
    int64_t more;         // whether others will follow
    Stalls stalls;
};

struct Sink {
    int64_t* data;  // [count, lanes]
    uint8_t* last;  // [count]
    int64_t count, at;
    Stalls stalls;
};

struct Exchange {
    Source a, b;
    Sink c;
    int64_t cycle, first, final, idle;  // final: the cycle of the last result; idle: nothing moved
};

enum Status { kCycles = 0, kWantsA = 1, kWantsB = 2, kFull = 3, kProtocol = 4, kStopped = 5 };

template <int lanes, int bits>
struct Driver {
    Beat<lanes, bits> beat;
    bool offered = false;

    bool wants(const Source& source) const {
        return !offered && source.at == source.count && source.more;
    }

    template <class Port>
    void drive(Source& source, Port& payload, CData& valid) {
        if (offered) return;
        if (source.at < source.count && !source.stalls.roll()) {
            beat.pack(source.data + source.at * lanes, source.last[source.at]);
            ++source.at;
            beat.to(payload);
            valid = offered = true;
            return;
        }
        source.stalls.cycles += source.at < source.count;
        if (valid) {
            valid = 0;
            beat.invert();
            beat.to(payload);
        }
    }

    bool sample(Source& source, CData ready) {
        const bool taken = offered && ready;
        source.stalls.waits += offered && !ready;
        if (taken) offered = false;
        return taken;
    }
};

struct Model {
    VerilatedContext context;
    // It must go before the model, which it watches.
#if BITWEIGHT_TRACE
    Trace trace;
#endif
    Vdut top{&context, "dut"};
    Driver<A_LANES, A_BITS> a;
    Driver<B_LANES, B_BITS> b;
    Beat<C_LANES, C_BITS> c, held;
    bool waiting = false;
    std::string message;

    explicit Model(const char* path) {
#if BITWEIGHT_TRACE
        context.traceEverOn(true);
        top.trace(&trace, 99);
        trace.open(path);
        if (!trace.isOpen()) throw std::runtime_error("the trace file cannot be written");
#else
        (void)path;
#endif
        // Every input is known before the first edge; two edges fall into the reset.
        top.a___05Fvalid = top.b___05Fvalid = top.c___05Fready = 0;
        top.rst = 1;
        for (int edge = 0; edge < 2; ++edge) {
            clock(0);
            clock(1);
        }
        top.rst = 0;
    }

    void clock(CData level) {
        top.clk = level;
        top.eval();
#if BITWEIGHT_TRACE
        trace.dump(context.time());
        context.timeInc(1);
#endif
    }

    Status run(Exchange& x, int64_t cycles) {
        for (; cycles; --cycles) {
            if (a.wants(x.a)) return kWantsA;
            if (b.wants(x.b)) return kWantsB;
            if (x.c.at == x.c.count) return kFull;
            a.drive(x.a, top.a___05Fpayload, top.a___05Fvalid);
            b.drive(x.b, top.b___05Fpayload, top.b___05Fvalid);
            const bool ready = top.c___05Fready = !x.c.stalls.roll();
            clock(0);
            ++x.cycle;
            const bool operands = a.sample(x.a, top.a___05Fready) | b.sample(x.b, top.b___05Fready);
            if (operands && !x.first) x.first = x.cycle;
            const bool valid = top.c___05Fvalid;
            if (valid || waiting) {
                c.from(top.c___05Fpayload);
                if (waiting && (!valid || std::memcmp(c.word, held.word, sizeof c.word))) {
                    message = valid ? "the payload of c changed before it was taken"
                                    : "valid of c fell before the beat was taken";
                    return kProtocol;
                }
            }
            waiting = valid && !ready;
            if (waiting) {
                held = c;
                ++x.c.stalls.cycles;
            }
            const bool result = valid && ready;
            if (result) {
                x.c.last[x.c.at] = c.unpack(x.c.data + x.c.at * C_LANES);
                ++x.c.at;
                x.final = x.cycle;
            }
            x.idle = operands || result ? 0 : x.idle + 1;
            clock(1);
        }
        return kCycles;
    }
};

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

static thread_local std::string failure;

// Returns nothing where the model cannot be made; `bitweight_message(nullptr)` then says why.
EXPORT Model* bitweight_new(const char* trace) try {
    return new Model(trace);
} catch (const std::exception& error) {
    failure = error.what();
    return nullptr;
}

EXPORT int bitweight_run(Model* model, Exchange* exchange, int64_t cycles) try {
    return model->run(*exchange, cycles);
} catch (const std::exception& error) {
    model->message = error.what();
    return kStopped;
}

EXPORT const char* bitweight_message(const Model* model) {
    return model ? model->message.c_str() : failure.c_str();
}

EXPORT void bitweight_delete(Model* model) {
#if BITWEIGHT_TRACE
    model->trace.close();
#endif
    delete model;
}
