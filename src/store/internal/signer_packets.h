// What the signer's process is asked over its socket: a request is one packet, an answer is one
// packet. Big-endian.
//   request  'O' head                                     the log's last head, once, before the
//   rest
//            'S' u64 old, u64 new, 32 root, u64 flushed, u8 n, n * 32 proof    sign
//            'C' u64 flushed                              what is flushed, made durable
//            'K' u64 index, u64 overlap_until             make the next key
//            'D'                                          destroy the older key
//            'X' head                                     the log ends there: begin anew
//   answer   u8 0, then: 'S' the checkpoint; 'C' nothing; else the keys
//            u8 1 + Code, then a message for the operator
//   keys     u8 n (1 or 2), n * 32 public keys, with two u64 index, u64 overlap_until; origin
// The signer takes nothing else. Requests are hostile input: the monitor may have been taken over.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "store/internal/signer_core.h"

namespace candor::store {

// The whole answer packet to one request packet, which is not empty.
[[nodiscard]] Bytes answer_signer_packet(SignerCore& core, ByteView packet);
[[nodiscard]] Result<LogKeys> decode_log_keys(ByteView bytes);

}  // namespace candor::store
