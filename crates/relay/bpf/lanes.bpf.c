// SPDX-License-Identifier: MIT
//
// Frames of an address that a session of ours has gone to for a while, handed to the worker that has the session before the
// system makes packets for sockets of them. Which those are is written in crates/relay/src/lanes/. Everything else goes its
// usual way up. Checksums are looked at by the worker.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ALWAYS static __always_inline

// Of crates/relay/src/lanes/.
#define LARGEST 1536
#define QUEUES 64

struct address {
    __u32 words[4]; // as on the wire; IPv4 in the first
};

struct lane {
    struct address local;
    struct address remote;
    __be16 local_port;
    __be16 remote_port;
};

// Which worker has a lane.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, struct lane);
    __type(value, __u32);
} lanes SEC(".maps");

// The rings of each worker, for each queue of this card.
struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, QUEUES);
    __type(key, __u32);
    __type(value, __u32);
} rings SEC(".maps");

ALWAYS int give(struct xdp_md *context, const struct lane *lane) {
    __u32 *worker = bpf_map_lookup_elem(&lanes, lane);
    __u32 queue = context->rx_queue_index;
    if (!worker || queue >= QUEUES)
        return XDP_PASS;
    // Where that queue has no rings the frame goes up.
    return bpf_redirect_map(&rings, *worker * QUEUES + queue, XDP_PASS);
}

ALWAYS int ipv4(struct xdp_md *context, struct ethhdr *ethernet, const void *end) {
    struct iphdr *ip = (void *)(ethernet + 1);
    struct udphdr *udp = (void *)(ip + 1);
    if ((const void *)(udp + 1) > end)
        return XDP_PASS;
    // Neither options nor a fragment.
    if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(0x3fff)))
        return XDP_PASS;
    __u32 total = bpf_ntohs(ip->tot_len);
    if (bpf_ntohs(udp->len) != total - sizeof(*ip) || (const void *)ip + total > end)
        return XDP_PASS;
    struct lane lane = {
        .local = {{ip->daddr}},
        .remote = {{ip->saddr}},
        .local_port = udp->dest,
        .remote_port = udp->source,
    };
    return give(context, &lane);
}

ALWAYS int ipv6(struct xdp_md *context, struct ethhdr *ethernet, const void *end) {
    struct ipv6hdr *ip = (void *)(ethernet + 1);
    struct udphdr *udp = (void *)(ip + 1);
    if ((const void *)(udp + 1) > end)
        return XDP_PASS;
    if (ip->version != 6 || ip->nexthdr != IPPROTO_UDP || udp->check == 0)
        return XDP_PASS;
    __u32 carried = bpf_ntohs(ip->payload_len);
    if (bpf_ntohs(udp->len) != carried || (const void *)udp + carried > end)
        return XDP_PASS;
    struct lane lane = {.local_port = udp->dest, .remote_port = udp->source};
    __builtin_memcpy(&lane.local, &ip->daddr, sizeof(lane.local));
    __builtin_memcpy(&lane.remote, &ip->saddr, sizeof(lane.remote));
    return give(context, &lane);
}

SEC("xdp")
int divide(struct xdp_md *context) {
    void *start = (void *)(long)context->data;
    const void *end = (const void *)(long)context->data_end;
    struct ethhdr *ethernet = start;
    if ((const void *)(ethernet + 1) > end || end - start > LARGEST)
        return XDP_PASS;
    if (ethernet->h_proto == bpf_htons(ETH_P_IP))
        return ipv4(context, ethernet, end);
    if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
        return ipv6(context, ethernet, end);
    return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
// By which a test knows that the object beside this file was made of it.
const char SOURCE[] SEC("source") = MADE_OF;
