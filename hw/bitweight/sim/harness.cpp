// Drives the streams of one design: the same text for every design, whose ports.h says how wide
// they are. It is a program of its own, so that a model that crashes or does not come back takes
// nobody with it. program.py runs it, sends what to do to its standard input and reads from its
// standard output; the layouts of Command and Reply are those of the classes there.
//
// A cycle is two evaluations. With the clock low, inputs change and what depends on them settles;
// then handshakes are read, as a flip-flop would see them at the rising edge that follows.

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

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

// Verilator would end the process without a word.
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

template <class Element>
struct Beats {
    std::vector<Element> data;  // [count, lanes]
    std::vector<uint8_t> last;  // [count]
    int64_t count = 0, at = 0;  // how many there are, and which is the next
    bool more = true;           // whether others will follow

    void resize(int64_t size, int lanes) {
        data.resize(size * lanes);
        last.resize(size);
        count = size;
        at = 0;
    }
};

using Source = Beats<int16_t>;
using Sink = Beats<int64_t>;

struct Command {
    int64_t kind;   // 'a', 'b': beats follow, or if there are none, no others will;
    int64_t count;  // 'c': so many results are wanted; 's': stalls follow; 'r': so many cycles
};

enum Status { kCycles = 0, kWantsA = 1, kWantsB = 2, kFull = 3, kProtocol = 4, kStopped = 5 };

struct Reply {
    int64_t status;
    int64_t cycle, first, final, idle;  // final: the cycle of the last result; idle: nothing moved
    Stalls a, b, c;
    int64_t length;  // of the message that follows; after kFull it is the results
};

template <int lanes, int bits>
struct Driver {
    Beat<lanes, bits> beat;
    bool offered = false;

    bool wants(const Source& source) const {
        return !offered && source.at == source.count && source.more;
    }

    template <class Port>
    void drive(Source& source, Stalls& stalls, Port& payload, CData& valid) {
        if (offered) return;
        if (source.at < source.count && !stalls.roll()) {
            beat.pack(source.data.data() + source.at * lanes, source.last[source.at]);
            ++source.at;
            beat.to(payload);
            valid = offered = true;
            return;
        }
        stalls.cycles += source.at < source.count;
        if (valid) {
            valid = 0;
            beat.invert();
            beat.to(payload);
        }
    }

    bool sample(Stalls& stalls, CData ready) {
        const bool taken = offered && ready;
        stalls.waits += offered && !ready;
        if (taken) offered = false;
        return taken;
    }
};

// Sets in how many seconds the process ends, unless this is called again before; 0 for never.
double patience;

void patient(double seconds) {
    itimerval timer = {};
    timer.it_value.tv_sec = static_cast<time_t>(seconds);
    timer.it_value.tv_usec = static_cast<suseconds_t>(1e6 * (seconds - timer.it_value.tv_sec));
    setitimer(ITIMER_REAL, &timer, nullptr);
}

constexpr int64_t kBetween = 64;  // clock cycles between two signs of life

struct Model {
    VerilatedContext context;
    // It must go before the model, which it watches.
#if BITWEIGHT_TRACE
    Trace trace;
#endif
    Vdut top{&context, "dut"};
    Source a_beats, b_beats;
    Sink c_beats;
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

    Status run(Reply& x, int64_t cycles) {
        for (; cycles; --cycles) {
            if (cycles % kBetween == 0) patient(patience);
            if (a.wants(a_beats)) return kWantsA;
            if (b.wants(b_beats)) return kWantsB;
            if (c_beats.at == c_beats.count) return kFull;
            a.drive(a_beats, x.a, top.a___05Fpayload, top.a___05Fvalid);
            b.drive(b_beats, x.b, top.b___05Fpayload, top.b___05Fvalid);
            const bool ready = top.c___05Fready = !x.c.roll();
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
                ++x.c.cycles;
            }
            const bool result = valid && ready;
            if (result) {
                c_beats.last[c_beats.at] = c.unpack(c_beats.data.data() + c_beats.at * C_LANES);
                ++c_beats.at;
                x.final = x.cycle;
            }
            x.idle = operands || result ? 0 : x.idle + 1;
            clock(1);
        }
        return kCycles;
    }
};

}  // namespace

// What the design prints must not get among the replies.
static int replies;

static void take(void* to, int64_t size) {
    for (char* at = static_cast<char*>(to); size;) {
        const ssize_t part = read(0, at, size);
        if (part <= 0) std::_Exit(0);  // nobody wants anything any more
        at += part;
        size -= part;
    }
}

static void give(const void* from, int64_t size) {
    for (const char* at = static_cast<const char*>(from); size;) {
        const ssize_t part = write(replies, at, size);
        if (part <= 0) std::_Exit(0);
        at += part;
        size -= part;
    }
}

template <class Element>
static void take(Beats<Element>& beats, int64_t count, int lanes) {
    beats.resize(count, lanes);
    beats.more = count;
    take(beats.data.data(), beats.data.size() * sizeof(Element));
    take(beats.last.data(), count);
}

static void serve(Model& model, Reply& reply) {
    for (;;) {
        Command command;
        // Until it comes, nothing runs that could hang.
        patient(0);
        if (read(0, &command.kind, 1) == 0) return;
        take(reinterpret_cast<char*>(&command) + 1, sizeof command - 1);
        switch (command.kind) {
            case 'a': take(model.a_beats, command.count, A_LANES); continue;
            case 'b': take(model.b_beats, command.count, B_LANES); continue;
            case 'c': model.c_beats.resize(command.count, C_LANES); continue;
            case 's': take(&reply.a, 3 * sizeof reply.a); continue;
        }
        try {
            reply.status = model.run(reply, command.count);
        } catch (const std::exception& error) {
            model.message = error.what();
            reply.status = kStopped;
        }
        reply.length = reply.status < kProtocol ? 0 : model.message.size();
        give(&reply, sizeof reply);
        give(model.message.data(), reply.length);
        if (reply.status == kFull) {
            give(model.c_beats.data.data(), model.c_beats.data.size() * sizeof(int64_t));
            give(model.c_beats.last.data(), model.c_beats.count);
        }
    }
}

// Arguments: the seconds without a sign of life after which it ends, and the file of the trace.
int main(int, char** argument) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    std::signal(SIGALRM, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    replies = dup(1);
    dup2(2, 1);
    patience = std::atof(argument[1]);
    Reply reply = {};
    try {
        patient(patience);
        Model model(argument[2]);
        give(&reply, sizeof reply);
        serve(model, reply);
#if BITWEIGHT_TRACE
        model.trace.close();
#endif
    } catch (const std::exception& error) {
        reply.status = kStopped;
        reply.length = std::strlen(error.what());
        give(&reply, sizeof reply);
        give(error.what(), reply.length);
    }
    return 0;
}
