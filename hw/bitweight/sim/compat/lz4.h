// Stands for the header of LZ4 where Verilator writes FST files, so that they take no library.
// What it makes is a valid block that holds all bytes as literals: nothing becomes smaller.
// After the LZ4 block format description: a token, more length, then the literals.

#ifndef BITWEIGHT_LZ4_H
#define BITWEIGHT_LZ4_H

#include <cstring>

inline int LZ4_compressBound(int size) {
    return size + size / 255 + 16;
}

inline int LZ4_compress_default(const char* source, char* target, int size, int capacity) {
    if (capacity < LZ4_compressBound(size)) return 0;
    char* at = target;
    *at++ = static_cast<char>((size < 15 ? size : 15) << 4);
    if (size >= 15) {
        int rest = size - 15;
        for (; rest >= 255; rest -= 255) *at++ = static_cast<char>(255);
        *at++ = static_cast<char>(rest);
    }
    std::memcpy(at, source, static_cast<std::size_t>(size));
    return static_cast<int>(at - target) + size;
}

#endif
