// Stands for the header of zlib where Verilator writes FST files, so that they take no library.
// What it makes is a valid stream of stored blocks: nothing becomes smaller. After RFC 1950 (the
// frame and its checksum) and RFC 1951 (blocks of up to 65535 bytes).

#ifndef BITWEIGHT_ZLIB_H
#define BITWEIGHT_ZLIB_H

#include <cstdint>
#include <cstring>
#include <initializer_list>

using Bytef = unsigned char;
using uLong = unsigned long;
using uLongf = unsigned long;
constexpr int Z_OK = 0;
constexpr int Z_BUF_ERROR = -5;
constexpr int Z_DEFAULT_COMPRESSION = -1;

inline uLong compressBound(uLong size) {
    return size + 5 * (size / 65535 + 1) + 6;
}

inline int compress2(Bytef* target, uLongf* length, const Bytef* source, uLong size, int) {
    if (*length < compressBound(size)) return Z_BUF_ERROR;
    Bytef* at = target;
    *at++ = 0x78;
    *at++ = 0x01;
    uLong done = 0;
    do {
        const uLong block = size - done < 65535 ? size - done : 65535;
        *at++ = done + block == size;
        for (const uLong field : {block, ~block}) {
            *at++ = field & 255;
            *at++ = field >> 8 & 255;
        }
        std::memcpy(at, source + done, block);
        at += block;
        done += block;
    } while (done < size);
    uint32_t low = 1, high = 0;
    for (uLong i = 0; i < size; ++i) {
        low = (low + source[i]) % 65521;
        high = (high + low) % 65521;
    }
    for (const uint32_t part : {high >> 8, high, low >> 8, low}) *at++ = part & 255;
    *length = static_cast<uLongf>(at - target);
    return Z_OK;
}

#endif
