// SPDX-License-Identifier: MIT
//
// The parties of many calls, for `bauta bench relay --generator kernel`: makes their packets and counts those that come
// back, faster than any program with sockets could. Where each field comes from is in
// crates/server/src/commands/bench/relay/flood.rs.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VOICE 160

struct rtp {
    __u8 first;
    __u8 second;
    __be16 sequence;
    __be32 timestamp;
    __be32 ssrc;
};

struct frame {
    struct ethhdr ethernet;
    struct iphdr ip;
    struct udphdr udp;
    struct rtp rtp;
    // Who says it.
    __u32 leg;
    __u8 rest[VOICE - 4];
} __attribute__((packed));

struct leg {
    __be32 from;
    __be32 to;
    __be16 from_port;
    __be16 to_port;
    __u32 sequence;
    __u32 timestamp;
    __u32 ssrc;
    // Of what comes to it.
    __u32 heard_ssrc;
    __u64 came;
};

// What is asked for; written by the program that asks, and only read here.
struct flood {
    __u32 first; // address of the first leg
    __u32 legs;
    __u32 rate;      // packets of a leg in a second
    __u32 beginning; // legs that begin in a second
    __u8 here[ETH_ALEN];
    __u8 there[ETH_ALEN];
    __u32 ends;
};

// What came of it.
struct tally {
    __u64 began;
    __u64 due;
    __u64 said;
    __u64 missed; // a moment that was missed by far is not made up for
    __u64 right;
    __u64 wrong;
    __u32 active;
    __u32 next;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct leg);
} legs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct flood);
} flood SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct tally);
} tally SEC(".maps");

#define SECOND 1000000000ULL
// Later than this it is not made up for: no queue takes so much at once.
#define LATE 1000000ULL

static long look(__u32 turn, void *due) {
    return bpf_ktime_get_ns() >= *(__u64 *)due;
}

// Waits until the next packet is due.
static __always_inline void wait(const struct flood *all, struct tally *told) {
    __u64 now = bpf_ktime_get_ns();
    if (!told->began) {
        told->began = now;
        told->due = now;
    }
    if (!told->next) {
        __u64 active = 2 + (now - told->began) * all->beginning / SECOND;
        active &= ~1ULL;
        told->active = active < all->legs ? active : all->legs;
    }
    __u64 each = SECOND / ((__u64)told->active * all->rate + 1);
    if (now > told->due + LATE) {
        told->missed += (now - told->due) / (each + 1);
        told->due = now;
    }
    __u64 due = told->due;
    if (now < due)
        bpf_loop(1 << 20, look, &due, 0);
    told->due = due + each;
}

static __always_inline __u16 header_check(const struct iphdr *ip) {
    const __u16 *words = (const __u16 *)ip;
    __u32 sum = 0;
#pragma unroll
    for (int n = 0; n < 10; n++)
        sum += words[n];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

// The next packet of the next leg.
SEC("xdp")
int speak(struct xdp_md *context) {
    struct frame *frame = (void *)(long)context->data;
    if ((void *)(frame + 1) > (void *)(long)context->data_end)
        return XDP_ABORTED;
    __u32 zero = 0;
    struct flood *all = bpf_map_lookup_elem(&flood, &zero);
    struct tally *told = bpf_map_lookup_elem(&tally, &zero);
    if (!all || !told || *(volatile const __u32 *)&all->ends)
        return XDP_ABORTED;
    wait(all, told);
    __u32 number = told->next;
    told->next = number + 1 < told->active ? number + 1 : 0;
    told->said += 1;
    struct leg *leg = bpf_map_lookup_elem(&legs, &number);
    if (!leg)
        return XDP_ABORTED;
    __builtin_memcpy(frame->ethernet.h_dest, all->there, ETH_ALEN);
    __builtin_memcpy(frame->ethernet.h_source, all->here, ETH_ALEN);
    frame->ethernet.h_proto = bpf_htons(ETH_P_IP);
    struct iphdr ip = {
        .version = 4,
        .ihl = 5,
        .tot_len = bpf_htons(sizeof(*frame) - ETH_HLEN),
        .frag_off = bpf_htons(0x4000),
        .ttl = 64,
        .protocol = IPPROTO_UDP,
        .saddr = leg->from,
        .daddr = leg->to,
    };
    ip.check = header_check(&ip);
    frame->ip = ip;
    frame->udp.source = leg->from_port;
    frame->udp.dest = leg->to_port;
    frame->udp.len = bpf_htons(sizeof(*frame) - ETH_HLEN - sizeof(ip));
    frame->udp.check = 0;
    frame->rtp.first = 0x80;
    frame->rtp.second = 8;
    frame->rtp.sequence = bpf_htons(leg->sequence);
    frame->rtp.timestamp = bpf_htonl(leg->timestamp);
    frame->rtp.ssrc = leg->ssrc;
    frame->leg = number;
    leg->sequence += 1;
    leg->timestamp += 8000 / all->rate;
    return XDP_TX;
}

// Whatever comes to a leg.
SEC("xdp")
int hear(struct xdp_md *context) {
    struct frame *frame = (void *)(long)context->data;
    __u32 zero = 0;
    struct flood *all = bpf_map_lookup_elem(&flood, &zero);
    struct tally *told = bpf_map_lookup_elem(&tally, &zero);
    if (!all || !told || (void *)(frame + 1) > (void *)(long)context->data_end)
        return XDP_PASS;
    if (frame->ethernet.h_proto != bpf_htons(ETH_P_IP) || frame->ip.protocol != IPPROTO_UDP)
        return XDP_PASS;
    __u32 number = bpf_ntohl(frame->ip.daddr) - all->first;
    struct leg *leg = bpf_map_lookup_elem(&legs, &number);
    if (!leg || number >= all->legs)
        return XDP_PASS;
    if (!leg->heard_ssrc)
        leg->heard_ssrc = frame->rtp.ssrc;
    int is_right = frame->rtp.first == 0x80 && (frame->rtp.second & 0x7f) == 8 &&
                   frame->rtp.ssrc == leg->heard_ssrc && frame->leg == (number ^ 1) &&
                   frame->udp.source == leg->to_port && frame->udp.dest == leg->from_port &&
                   frame->ip.saddr == leg->to;
    if (is_right) {
        leg->came += 1;
        told->right += 1;
    } else {
        told->wrong += 1;
    }
    return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
// By which a test knows that the object beside this file was made of it.
const char SOURCE[] SEC("source") = MADE_OF;
