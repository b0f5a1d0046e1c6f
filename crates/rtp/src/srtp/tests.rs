use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::keys::Number;
use super::window::Window;
use super::*;
use crate::Header;

/// Octets from their hexadecimal text.
pub(super) fn octets(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// A key that may be shorter than the longest.
pub(super) fn longest(octets: &[u8]) -> MasterKey {
    let mut key = [0; MASTER_LENGTH];
    key[..octets.len()].copy_from_slice(octets);
    MasterKey(key)
}

fn key() -> MasterKey {
    longest(&octets("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6"))
}

fn pair(suite: Suite) -> (Sender, Receiver) {
    (Sender::new(suite, &key()), Receiver::new(suite, &key(), LONGEST_LIFE))
}

fn packet(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header { marker: false, payload_type: 8, sequence, timestamp: 160, ssrc };
    [&header.write()[..], payload].concat()
}

fn protected(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    sender.protect(packet, &mut [0; 1500]).unwrap().to_vec()
}

fn heard(receiver: &mut Receiver, bytes: &[u8]) -> Result<Vec<u8>, Unproven> {
    let mut bytes = bytes.to_vec();
    receiver.unprotect(&mut bytes).map(|length| bytes[..length].to_vec())
}

const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 7];

fn protected_report(sender: &mut Sender, report: &[u8]) -> Vec<u8> {
    sender.protect_control(report, &mut [0; 1500]).unwrap().to_vec()
}

fn heard_report(receiver: &mut Receiver, bytes: &[u8]) -> Result<Vec<u8>, Unproven> {
    let mut bytes = bytes.to_vec();
    receiver.unprotect_control(&mut bytes).map(|length| bytes[..length].to_vec())
}

/// The packets that libsrtp, which most phones are made with, checks itself with.
#[test]
fn packets_are_those_of_libsrtp() {
    let (mut sender, mut receiver) = pair(Suite::AesCm128HmacSha1_80);
    let plain = octets("800F1234DECAFBADCAFEBABE ABABABABABABABABABABABABABABABAB");
    let secret = octets("800F1234DECAFBADCAFEBABE 4E55DC4CE79978D88CA4D215949D2402 B78D6ACC99EA179B8DBB");
    assert_eq!(protected(&mut sender, &plain), secret);
    assert_eq!(heard(&mut receiver, &secret), Ok(plain));
    let plain = octets("81C8000BCAFEBABE ABABABABABABABABABABABABABABABAB");
    let secret = octets("81C8000BCAFEBABE 7128035BE487B9BDBEF89041F977A5A8 80000001 993E08CD54D6C1230798");
    assert_eq!(heard_report(&mut receiver, &secret), Ok(plain.clone()));
    protected_report(&mut sender, &REPORT);
    assert_eq!(protected_report(&mut sender, &plain), secret, "the second, of index 1");
    let key = longest(&octets("000102030405060708090A0B0C0D0E0F A0A1A2A3A4A5A6A7A8A9AAAB"));
    let suite = Suite::AeadAes128Gcm;
    let (mut sender, mut receiver) = (Sender::new(suite, &key), Receiver::new(suite, &key, LONGEST_LIFE));
    let plain = octets("800F1234DECAFBADCAFEBABE ABABABABABABABABABABABABABABABAB");
    let secret =
        octets("800F1234DECAFBADCAFEBABE C5002EDE04CFDD2EB91159E0880AA06E D2976826F796B201DF3131A127E8A392");
    assert_eq!(protected(&mut sender, &plain), secret);
    assert_eq!(heard(&mut receiver, &secret), Ok(plain));
    let plain = octets("81C8000BCAFEBABE ABABABABABABABABABABABABABABABAB");
    let secret =
        octets("81C8000BCAFEBABE C98B8B5DF0392A55852B6C21AC8E7025 C52C6FBEA2B3B446EA31123BA88CE61E 80000001");
    assert_eq!(heard_report(&mut receiver, &secret), Ok(plain.clone()));
    protected_report(&mut sender, &REPORT);
    assert_eq!(protected_report(&mut sender, &plain), secret, "the second, of index 1");
}

#[test]
fn what_is_protected_is_heard_once_and_is_not_readable() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        for length in 0..400 {
            let plain = packet(1, length, &vec![0xD5; length.into()]);
            let secret = protected(&mut sender, &plain);
            assert_eq!(secret.len(), plain.len() + suite.tag());
            assert!(length < 4 || !secret.windows(4).any(|four| four == [0xD5; 4]));
            assert_eq!(heard(&mut receiver, &secret), Ok(plain));
            assert_eq!(heard(&mut receiver, &secret), Err(Unproven), "it was played again");
        }
        let secret = protected_report(&mut sender, &REPORT);
        assert_eq!(heard_report(&mut receiver, &secret), Ok(REPORT.to_vec()));
        assert_eq!(heard_report(&mut receiver, &secret), Err(Unproven));
    }
}

#[test]
fn nothing_changed_cut_or_lengthened_is_heard_and_it_changes_nothing() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let plain = packet(1, 1, b"voice");
        let secret = protected(&mut sender, &plain);
        let report = protected_report(&mut sender, &REPORT);
        for bit in 0..8 * secret.len() {
            let mut forged = secret.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(heard(&mut receiver, &forged), Err(Unproven), "bit {bit}");
        }
        for bit in 0..8 * report.len() {
            let mut forged = report.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(heard_report(&mut receiver, &forged), Err(Unproven), "bit {bit}");
        }
        for length in (0..secret.len()).chain([secret.len() + 1]) {
            let mut forged = secret.clone();
            forged.resize(length, 0);
            assert_eq!(heard(&mut receiver, &forged), Err(Unproven), "{length} octets");
        }
        for length in (0..report.len()).chain([report.len() + 1]) {
            let mut forged = report.clone();
            forged.resize(length, 0);
            assert_eq!(heard_report(&mut receiver, &forged), Err(Unproven), "{length} octets");
        }
        assert_eq!(heard(&mut receiver, &secret), Ok(plain));
        assert_eq!(heard_report(&mut receiver, &report), Ok(REPORT.to_vec()));
    }
}

#[test]
fn a_refused_packet_lies_there_as_it_came() {
    for suite in Suite::ALL {
        a_refused_packet_is_as_it_was(suite);
    }
}

fn a_refused_packet_is_as_it_was(suite: Suite) {
    let (mut sender, mut receiver) = pair(suite);
    let mut forged = protected(&mut sender, &packet(1, 1, b"voice"));
    forged[20] ^= 1;
    let before = forged.clone();
    assert_eq!(receiver.unprotect(&mut forged), Err(Unproven));
    assert_eq!(forged, before);
}

#[test]
fn arbitrary_octets_are_never_heard_nor_do_they_harm() {
    let mut chance = ChaCha12Rng::from_seed([3; 32]);
    let (mut sender, mut receiver) = pair(Suite::AesCm128HmacSha1_80);
    for _ in 0..20_000 {
        let mut bytes = vec![0; chance.next_u32() as usize % 80];
        chance.fill_bytes(&mut bytes);
        if let Some(first) = bytes.first_mut() {
            *first = 0x80 | (*first & 0x3F);
        }
        assert_eq!(heard(&mut receiver, &bytes), Err(Unproven));
        assert_eq!(heard_report(&mut receiver, &bytes), Err(Unproven));
    }
    let plain = packet(1, 1, b"voice");
    assert_eq!(heard(&mut receiver, &protected(&mut sender, &plain)), Ok(plain));
}

#[test]
fn contributing_sources_and_extensions_stay_readable() {
    for suite in Suite::ALL {
        what_is_beside_stays_readable(suite);
    }
}

fn what_is_beside_stays_readable(suite: Suite) {
    let (mut sender, mut receiver) = pair(suite);
    for (flags, beside) in
        [(0x82, &b"srcAsrcB"[..]), (0x90, b"\xBE\xDE\0\x01extn"), (0x91, b"srcA\xBE\xDE\0\0")]
    {
        // Nothing of ours has them, so that the packet is made here: encrypted from the payload on.
        let sequence = u16::from(flags);
        let plain = [&packet(1, sequence, b"")[..], beside, b"voice"].concat();
        let mut secret = plain.clone();
        secret[0] = flags;
        let start = HEADER_LENGTH + beside.len();
        let tag = sender.packets.seal(Number::of_packet(1, sequence.into()), start, &mut secret);
        secret.extend_from_slice(&tag[..suite.tag()]);
        let out = heard(&mut receiver, &secret).unwrap();
        assert_eq!(out[1..], plain[1..]);
        assert_eq!(sender.protect(&out, &mut [0; 1500]), None, "not of our making");
    }
}

#[test]
fn the_rollover_counter_follows_loss_and_disorder_over_many_wraps() {
    let (mut sender, mut receiver) = pair(Suite::AesCm128HmacSha1_80);
    let all: Vec<_> = (0..70_000u32 * 3)
        .map(|n| packet(1, (n + 60_000) as u16, &n.to_be_bytes()))
        .map(|plain| (protected(&mut sender, &plain), plain))
        .collect();
    let mut first = None;
    // Of every twelve one is lost, the rest comes with its neighbours changed about.
    for twelve in all.chunks(12) {
        for place in [1, 0, 2, 4, 3, 9, 6, 7, 8, 5, 10] {
            if let Some((secret, plain)) = twelve.get(place) {
                assert_eq!(heard(&mut receiver, secret).as_ref(), Ok(plain));
                first.get_or_insert(secret);
            }
        }
    }
    assert_eq!(heard(&mut receiver, first.unwrap()), Err(Unproven), "three rounds later");
}

#[test]
fn a_side_may_change_its_source_and_come_back_but_not_play_it_again() {
    let (_, mut receiver) = pair(Suite::AesCm128HmacSha1_80);
    let mut told = Vec::new();
    for ssrc in 0..16 {
        let mut sender = Sender::new(Suite::AesCm128HmacSha1_80, &key());
        told.push([1, 2].map(|sequence| protected(&mut sender, &packet(ssrc, sequence, b"voice"))));
    }
    for sequence in 0..2 {
        for secret in &told {
            assert!(heard(&mut receiver, &secret[sequence]).is_ok());
        }
    }
    for secret in told.iter().flatten() {
        assert_eq!(heard(&mut receiver, secret), Err(Unproven));
    }
    let mut sender = Sender::new(Suite::AesCm128HmacSha1_80, &key());
    let one_more = protected(&mut sender, &packet(16, 1, b"voice"));
    assert_eq!(heard(&mut receiver, &one_more), Err(Unproven), "no side has so many");
}

#[test]
fn no_number_is_used_twice_whatever_is_in_it() {
    let (mut sender, _) = pair(Suite::AesCm128HmacSha1_80);
    protected(&mut sender, &packet(1, 5, b"voice"));
    assert_eq!(sender.protect(&packet(1, 5, b"other"), &mut [0; 1500]), None);
    protected(&mut sender, &packet(1, 7, b"voice"));
    protected(&mut sender, &packet(1, 6, b"a late one"));
    assert_eq!(sender.protect(&packet(1, 6, b"other"), &mut [0; 1500]), None);
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let (mut sender, _) = pair(Suite::AesCm128HmacSha1_80);
    assert_eq!(sender.protect(&packet(1, 1, b"voice"), &mut [0; 26]), None);
    assert_eq!(sender.protect(&[0x80; 11], &mut [0; 1500]), None);
    assert_eq!(sender.protect_control(&REPORT, &mut [0; 21]), None);
    assert_eq!(sender.protect_control(&REPORT[..7], &mut [0; 1500]), None);
    sender.control_index = ENCRYPTED - 1;
    assert!(sender.protect_control(&REPORT, &mut [0; 1500]).is_some());
    assert_eq!(sender.protect_control(&REPORT, &mut [0; 1500]), None, "the key is worn out");
}

#[test]
fn a_key_protects_as_many_packets_as_it_may_and_no_more() {
    for suite in Suite::ALL {
        let (mut sender, _) = pair(suite);
        sender.sent = Some(Window::new(LONGEST_LIFE - 2));
        assert!(sender.protect(&packet(1, 0xFFFF, b"the last"), &mut [0; 1500]).is_some());
        assert_eq!(sender.protect(&packet(1, 0, b"one more"), &mut [0; 1500]), None);
    }
}

#[test]
fn nothing_is_heard_under_a_key_whose_life_is_over() {
    for suite in Suite::ALL {
        let (mut sender, _) = pair(suite);
        let mut receiver = Receiver::new(suite, &key(), 3);
        for sequence in 1..=3 {
            let plain = packet(1, sequence, b"voice");
            let secret = protected(&mut sender, &plain);
            assert_eq!(heard(&mut receiver, &secret), Ok(plain));
            assert_eq!(
                heard(&mut receiver, &secret),
                Err(Unproven),
                "that it came again takes nothing of it"
            );
            let report = protected_report(&mut sender, &REPORT);
            assert_eq!(heard_report(&mut receiver, &report), Ok(REPORT.to_vec()));
        }
        let late = protected(&mut sender, &packet(1, 4, b"voice"));
        assert_eq!(heard(&mut receiver, &late), Err(Unproven));
        let report = protected_report(&mut sender, &REPORT);
        assert_eq!(heard_report(&mut receiver, &report), Err(Unproven));
        let new = longest(&[9; 30]);
        let (mut sender, mut receiver) = (Sender::new(suite, &new), receiver.renewed(suite, &new, 3));
        let plain = packet(1, 5, b"voice");
        let secret = protected(&mut sender, &plain);
        assert_eq!(heard(&mut receiver, &secret), Ok(plain), "a new key has a life of its own");
    }
}

#[test]
fn under_a_new_key_the_counter_may_begin_anew_or_go_on() {
    let new = MasterKey([9; MASTER_LENGTH]);
    for goes_on in [false, true] {
        let (mut sender, mut receiver) = pair(Suite::AesCm128HmacSha1_80);
        for n in 0..3 {
            let secret = protected(&mut sender, &packet(1, (n * 30_000 + 10_000) as u16, b"voice"));
            assert!(heard(&mut receiver, &secret).is_ok());
        }
        let mut receiver = receiver.renewed(Suite::AesCm128HmacSha1_80, &new, LONGEST_LIFE);
        let mut renewed = Sender::new(Suite::AesCm128HmacSha1_80, &new);
        if goes_on {
            renewed.sent = sender.sent;
        }
        for sequence in [10_000, 10_001] {
            let plain = packet(1, sequence, b"voice");
            assert_eq!(heard(&mut receiver, &protected(&mut renewed, &plain)), Ok(plain));
        }
        let old = protected(&mut sender, &packet(1, 10_002, b"voice"));
        assert_eq!(heard(&mut receiver, &old), Err(Unproven), "the old key is no more");
    }
}

#[test]
fn whoever_joins_late_finds_out_how_often_the_sequence_began_anew() {
    for suite in Suite::ALL {
        for rollovers in [0, 1, 3] {
            let index = rollovers << 16 | 40_000;
            let (mut sender, _) = pair(suite);
            sender.sent = Some(Window::new(index));
            let mut receiver = Receiver::joining(suite, &key(), LONGEST_LIFE, 3);
            for sequence in [40_001, 40_002] {
                let plain = packet(1, sequence, b"voice");
                assert_eq!(heard(&mut receiver, &protected(&mut sender, &plain)), Ok(plain), "{rollovers}");
            }
        }
        let (mut sender, _) = pair(suite);
        sender.sent = Some(Window::new(4 << 16));
        let late = protected(&mut sender, &packet(1, 1, b"voice"));
        let mut receiver = Receiver::joining(suite, &key(), LONGEST_LIFE, 3);
        assert_eq!(heard(&mut receiver, &late), Err(Unproven), "later than it can be");
    }
}

#[test]
fn keys_do_not_show_themselves() {
    let (sender, receiver) = pair(Suite::AesCm128HmacSha1_80);
    let suite = Suite::AesCm128HmacSha1_80;
    let srtp = Srtp { suite, send: key(), receive: key(), life: LONGEST_LIFE, rollovers: 0 };
    let told = format!("{srtp:?}{sender:?}{receiver:?}");
    assert_eq!(
        told,
        "Srtp { suite: AesCm128HmacSha1_80, send: MasterKey(..), receive: MasterKey(..), life: 281474976710656, rollovers: 0 }\
         Sender { suite: AesCm128HmacSha1_80, .. }Receiver { suite: AesCm128HmacSha1_80, .. }"
    );
}
