// SPDX-License-Identifier: MIT
//
// Packets of a bridge that need nobody to look at them, sent on before the system makes sockets of them. What such packets
// are is written in crates/rtp/src/shortcut.rs, and where each field comes from in crates/relay/src/kernel/slot.rs.
// Everything else goes its usual way up.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ALWAYS static __always_inline

// Of crates/rtp.
#define MAX_GAP 50
#define MEMORY 64
#define MAX_LENGTH 1472
#define INTERVAL 2500000ULL
#define BURST 1000000000ULL

#define SECOND 1000000000ULL
// Expedited forwarding (RFC 4594 §4.1), as our sockets have it.
#define EXPEDITED (46 << 2)
#define HOPS 64

struct address {
    __u32 words[4]; // as on the wire; IPv4 in the first
};

struct way {
    struct address local;
    __be16 port;
    __u16 zero;
};

struct slot {
    __u32 active;
    __u32 interface;
    struct address source;
    struct address from;
    struct address to;
    __be16 source_port;
    __be16 from_port;
    __be16 to_port;
    __u8 next_hop[ETH_ALEN];
    __u8 ours[ETH_ALEN];
    __u8 incoming_type;
    __u8 outgoing_type;
    __be32 incoming_ssrc;
    __be32 outgoing_ssrc;
    __u32 timestamp_offset;
    __u32 base_timestamp;
    __u16 sequence_offset;
    __u16 base;
    __u32 clock_rate;
    __u8 unused[4];
    __u64 epoch; // at which the worker's time is zero, in the system's nanoseconds

    // From here on written by this program, while the slot is active.
    __u64 entered __attribute__((aligned(64)));
    __u64 left;
    __u64 packets;
    __u64 octets;
    __u64 seen;
    __u64 at; // nanoseconds of the worker
    __u64 paid_until;
    __u32 highest;
    __u32 received;
    __u32 timestamp;
    __u32 length;
    __u32 transit;
    __u32 jitter;
    __u32 begins;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, struct way);
    __type(value, __u32);
} ways SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct slot);
} slots SEC(".maps");

struct rtp {
    __u8 first;
    __u8 second;
    __be16 sequence;
    __be32 timestamp;
    __be32 ssrc;
};

// Where in a frame the parts are. Pointers into a frame stay apart for each family: the system's verifier wants that.
struct parts {
    struct udphdr *udp;
    struct rtp *rtp;
    __u32 length; // of the UDP datagram
    __u16 begins; // the payload
};

// Timestamps in so much time: whole ones of 8000 a second, times what a codec has more.
ALWAYS __u32 timestamps(__u64 time, __u32 rate) {
    return (__u32)(time / SECOND * 8000 + time % SECOND * 8000 / SECOND) * (rate / 8000);
}

ALWAYS __u16 fold(__u64 sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)sum;
}

// Everything that decides whether this is a packet for the slot, and what it counts. The new header comes back in `rtp`.
ALWAYS int admit(struct slot *slot, const struct parts *parts, struct rtp *rtp) {
    *rtp = *parts->rtp;
    __u32 octets = parts->length - sizeof(struct udphdr) - sizeof(struct rtp);
    if (rtp->first != 0x80 || (rtp->second & 0x7f) != slot->incoming_type || rtp->ssrc != slot->incoming_ssrc)
        return XDP_PASS;
    if (parts->udp->source != slot->source_port)
        return XDP_PASS;

    __u64 now = bpf_ktime_get_ns() - slot->epoch;
    __u16 sequence = bpf_ntohs(rtp->sequence);
    __u32 timestamp = bpf_ntohl(rtp->timestamp);
    __u16 behind = (__u16)slot->highest - sequence;
    __u16 ahead = -behind;
    int late = 0;
    if (ahead >= 1 && ahead <= MAX_GAP) {
        __u32 step = timestamp - slot->timestamp;
        __u64 since = now > slot->at ? now - slot->at : 0;
        if ((__s32)step <= 0 || step > (__u64)timestamps(since, slot->clock_rate) + slot->clock_rate)
            return XDP_PASS;
    } else {
        __u16 kept = (__u16)slot->highest - slot->base;
        __u32 within = slot->timestamp - slot->base_timestamp;
        if (behind >= MEMORY || (__u16)(sequence - slot->base) >= kept ||
            timestamp - slot->base_timestamp > within || (slot->seen >> (behind & 63) & 1))
            return XDP_PASS;
        late = 1;
    }

    if (slot->paid_until > now + BURST)
        return XDP_DROP;
    slot->paid_until = (slot->paid_until > now ? slot->paid_until : now) + INTERVAL;

    __u32 transit = timestamps(now, slot->clock_rate) - timestamp;
    __s32 change = (__s32)(transit - slot->transit);
    __u32 distance = change < 0 ? -change : change;
    slot->transit = transit;
    if (distance <= slot->clock_rate)
        slot->jitter = slot->jitter + distance - ((slot->jitter + 8) >> 4);
    slot->received += 1;
    slot->packets += 1;
    slot->octets += octets;
    if (late) {
        slot->seen |= 1ULL << (behind & 63);
        rtp->second = 0;
    } else {
        slot->highest += ahead;
        slot->seen = (slot->seen << (ahead & 63)) | 1;
        slot->timestamp = timestamp;
        slot->length = octets;
        slot->begins = parts->begins;
        slot->at = now;
        rtp->second &= 0x80;
    }
    rtp->second |= slot->outgoing_type;
    rtp->sequence = bpf_htons(sequence + slot->sequence_offset);
    rtp->timestamp = bpf_htonl(timestamp + slot->timestamp_offset);
    rtp->ssrc = slot->outgoing_ssrc;
    return XDP_TX;
}

// The sum of a whole datagram and its pseudo header, without the checksum itself.
ALWAYS __u64 whole(const struct parts *parts, const void *end, __u64 pseudo) {
    const __u8 *octets = (const __u8 *)parts->udp;
    __u64 sum = pseudo;
    for (__u32 at = 0; at < MAX_LENGTH + sizeof(struct udphdr); at += 2) {
        const __u8 *here = octets + at;
        if (at + 1 == parts->length) {
            if ((const void *)(here + 1) > end)
                break;
            sum += *here;
            break;
        }
        if (at >= parts->length || (const void *)(here + 2) > end)
            break;
        if (at != 6)
            sum += *(const __u16 *)here;
    }
    return sum;
}

ALWAYS __u64 words(const __u32 *from, int count) {
    __u64 sum = 0;
#pragma unroll
    for (int n = 0; n < count; n++)
        sum += from[n];
    return sum;
}

ALWAYS __u64 sum_of(const struct rtp *rtp) {
    return words((const __u32 *)rtp, 3);
}

// The checksum under other addresses (`before` and `after`: what is summed of them), ports and RTP header (RFC 1624). A
// frame that never was on a wire may carry the sum of its pseudo header alone, left for a card to complete: behind the
// driver it still is, while in it nobody would know any more, so that it is completed here.
ALWAYS void write(const struct parts *parts, struct slot *slot, const struct rtp *rtp, const void *end,
                  __u64 before, __u64 after, int is_native) {
    __be16 check = parts->udp->check;
    __u32 lengths = bpf_htons((__u16)parts->length) + bpf_htons(IPPROTO_UDP);
    int is_partial = check == fold(before + lengths);
    __u64 old = before + parts->udp->source + parts->udp->dest + sum_of(parts->rtp);

    parts->udp->source = slot->from_port;
    parts->udp->dest = slot->to_port;
    *parts->rtp = *rtp;
    if (check == 0)
        return;
    if (is_partial && !is_native) {
        parts->udp->check = fold(after + lengths);
        return;
    }
    if (is_partial) {
        check = ~fold(whole(parts, end, after + lengths));
    } else {
        __u64 new = after + slot->from_port + slot->to_port + sum_of(rtp);
        check = ~fold((__u64)(__u16)~check + (__u16)~fold(old) + new);
    }
    parts->udp->check = check ? check : 0xffff;
}

// Sends a frame on, without whatever lay in it behind its datagram: that is nobody else's.
ALWAYS int leave(struct xdp_md *context, struct ethhdr *ethernet, const struct slot *slot, const struct parts *parts,
                 const void *end) {
    __builtin_memcpy(ethernet->h_dest, slot->next_hop, ETH_ALEN);
    __builtin_memcpy(ethernet->h_source, slot->ours, ETH_ALEN);
    long behind = end - ((const void *)parts->udp + parts->length);
    if (behind && bpf_xdp_adjust_tail(context, -(int)behind))
        return XDP_DROP;
    if (slot->interface == context->ingress_ifindex)
        return XDP_TX;
    return bpf_redirect(slot->interface, 0);
}

ALWAYS struct slot *find(const struct address *local, __be16 port) {
    struct way way = {.local = *local, .port = port, .zero = 0};
    __u32 *number = bpf_map_lookup_elem(&ways, &way);
    return number ? bpf_map_lookup_elem(&slots, number) : 0;
}

// The first two octets of the payload, of which there is at least one.
ALWAYS __u16 begins(const struct rtp *rtp, const void *end) {
    const __u8 *payload = (const __u8 *)(rtp + 1);
    if ((const void *)(payload + 2) <= end)
        return payload[0] | (__u16)payload[1] << 8;
    return (const void *)(payload + 1) <= end ? payload[0] : 0;
}

ALWAYS int fits(const struct parts *parts, __u32 carried) {
    return parts->length == carried && carried > sizeof(struct udphdr) + sizeof(struct rtp) &&
           carried <= sizeof(struct udphdr) + MAX_LENGTH;
}

ALWAYS int ipv4(struct xdp_md *context, struct ethhdr *ethernet, const void *end, int is_native) {
    struct iphdr *ip = (void *)(ethernet + 1);
    struct parts parts = {.udp = (void *)(ip + 1), .rtp = (void *)((struct udphdr *)(ip + 1) + 1)};
    if ((const void *)(parts.rtp + 1) > end)
        return XDP_PASS;
    // Neither options nor a fragment.
    if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(0x3fff)))
        return XDP_PASS;
    parts.length = bpf_ntohs(parts.udp->len);
    __u32 total = bpf_ntohs(ip->tot_len);
    if (!fits(&parts, total - sizeof(*ip)) || (const void *)ip + total > end)
        return XDP_PASS;
    struct address local = {{ip->daddr}};
    struct slot *slot = find(&local, parts.udp->dest);
    if (!slot)
        return XDP_PASS;

    __sync_fetch_and_add(&slot->entered, 1);
    int verdict = XDP_PASS;
    if (*(volatile __u32 *)&slot->active && ip->saddr == slot->source.words[0]) {
        struct rtp rtp;
        parts.begins = begins(parts.rtp, end);
        verdict = admit(slot, &parts, &rtp);
        if (verdict == XDP_TX) {
            __u64 before = (__u64)ip->saddr + ip->daddr;
            ip->tos = EXPEDITED;
            ip->id = 0;
            ip->frag_off = bpf_htons(0x4000);
            ip->ttl = HOPS;
            ip->saddr = slot->from.words[0];
            ip->daddr = slot->to.words[0];
            ip->check = 0;
            ip->check = ~fold(words((const __u32 *)ip, 5));
            write(&parts, slot, &rtp, end, before, (__u64)ip->saddr + ip->daddr, is_native);
            verdict = leave(context, ethernet, slot, &parts, end);
        }
    }
    __sync_fetch_and_add(&slot->left, 1);
    return verdict;
}

ALWAYS int is(const struct in6_addr *one, const struct address *other) {
    const __u32 *words = one->in6_u.u6_addr32;
    return words[0] == other->words[0] && words[1] == other->words[1] && words[2] == other->words[2] &&
           words[3] == other->words[3];
}

ALWAYS int ipv6(struct xdp_md *context, struct ethhdr *ethernet, const void *end, int is_native) {
    struct ipv6hdr *ip = (void *)(ethernet + 1);
    struct parts parts = {.udp = (void *)(ip + 1), .rtp = (void *)((struct udphdr *)(ip + 1) + 1)};
    if ((const void *)(parts.rtp + 1) > end)
        return XDP_PASS;
    if (ip->version != 6 || ip->nexthdr != IPPROTO_UDP || parts.udp->check == 0)
        return XDP_PASS;
    parts.length = bpf_ntohs(parts.udp->len);
    __u32 carried = bpf_ntohs(ip->payload_len);
    if (!fits(&parts, carried) || (const void *)parts.udp + carried > end)
        return XDP_PASS;
    struct address local;
    __builtin_memcpy(&local, &ip->daddr, sizeof(local));
    struct slot *slot = find(&local, parts.udp->dest);
    if (!slot)
        return XDP_PASS;

    __sync_fetch_and_add(&slot->entered, 1);
    int verdict = XDP_PASS;
    if (*(volatile __u32 *)&slot->active && is(&ip->saddr, &slot->source)) {
        struct rtp rtp;
        parts.begins = begins(parts.rtp, end);
        verdict = admit(slot, &parts, &rtp);
        if (verdict == XDP_TX) {
            __u64 before = words(ip->saddr.in6_u.u6_addr32, 4) + words(ip->daddr.in6_u.u6_addr32, 4);
            ip->priority = EXPEDITED >> 4;
            ip->flow_lbl[0] = (EXPEDITED & 0xf) << 4;
            ip->flow_lbl[1] = 0;
            ip->flow_lbl[2] = 0;
            ip->hop_limit = HOPS;
            __builtin_memcpy(&ip->saddr, &slot->from, sizeof(ip->saddr));
            __builtin_memcpy(&ip->daddr, &slot->to, sizeof(ip->daddr));
            write(&parts, slot, &rtp, end, before, words(slot->from.words, 4) + words(slot->to.words, 4),
                  is_native);
            verdict = leave(context, ethernet, slot, &parts, end);
        }
    }
    __sync_fetch_and_add(&slot->left, 1);
    return verdict;
}

ALWAYS int any(struct xdp_md *context, int is_native) {
    void *start = (void *)(long)context->data;
    const void *end = (const void *)(long)context->data_end;
    struct ethhdr *ethernet = start;
    if ((const void *)(ethernet + 1) > end)
        return XDP_PASS;
    if (ethernet->h_proto == bpf_htons(ETH_P_IP))
        return ipv4(context, ethernet, end, is_native);
    if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
        return ipv6(context, ethernet, end, is_native);
    return XDP_PASS;
}

SEC("xdp")
int native(struct xdp_md *context) {
    return any(context, 1);
}

SEC("xdp")
int generic(struct xdp_md *context) {
    return any(context, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
// By which a test knows that the object beside this file was made of it.
const char SOURCE[] SEC("source") = MADE_OF;
