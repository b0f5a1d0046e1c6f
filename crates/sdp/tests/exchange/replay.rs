//! Whatever bytes come, reading ends, in bounds, without a panic; and none of them come out again.

use std::collections::BTreeSet;

use crate::corpus::{both_laws, local, text_of};
use sdp::{
    Capabilities, Codec, Description, KEY_LENGTH, Key, Keys, Offer, Security, answer, read_answer,
    write_answer,
};

fn files() -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/tests/corpus", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is there")
        .filter_map(|entry| {
            entry
                .expect("a folder that can be read")
                .file_name()
                .into_string()
                .expect("a plain file name")
                .strip_suffix(".sdp")
                .map(str::to_owned)
        })
        .map(|name| {
            let bytes = crate::corpus::bytes(&name);
            (name, bytes)
        })
        .collect();
    files.sort();
    files
}

/// Does all that can be done with a description; says whether it was one.
fn exercise(bytes: &[u8]) -> bool {
    let Ok(description) = Description::parse(bytes) else { return false };
    let every = Capabilities { codecs: Codec::ALL.to_vec(), noise: true, ..both_laws() };
    for capabilities in [both_laws(), every] {
        if let Ok(agreed) = answer(&description, &capabilities) {
            let written = write_answer(&local(), &description, &agreed);
            let back = Description::parse(&written).expect("our own description can be read");
            let again = Offer::again(&capabilities, &agreed);
            read_answer(&back, &again).expect("our own answer can be agreed to");
        }
    }
    let _ = read_answer(&description, &Offer::first(&both_laws()));
    let keys = Keys([Key([1; KEY_LENGTH]); 4]);
    for security in [Security::Offered(keys), Security::Required(keys)] {
        let capabilities = Capabilities { security, ..both_laws() };
        if let Ok(agreed) = answer(&description, &capabilities) {
            let written = text_of(&write_answer(&local(), &description, &agreed));
            let lines = written.lines().filter(|line| line.starts_with("a=crypto")).count();
            assert_eq!(lines, usize::from(agreed.secured.is_some()), "{written}");
            assert!(lines == 1 || security == Security::Offered(keys), "in the clear: {written}");
        }
        let _ = read_answer(&description, &Offer::first(&capabilities));
    }
    true
}

#[test]
fn every_description_of_the_corpus_is_read() {
    let files = files();
    assert!(files.len() >= 15, "{}", files.len());
    for (name, bytes) in files {
        assert!(exercise(&bytes), "{name}");
    }
}

#[test]
fn descriptions_cut_short_or_garbled_do_no_harm() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for (_, bytes) in files() {
        for end in 0..bytes.len() {
            exercise(&bytes[..end]);
        }
        for _ in 0..2_000 {
            let mut garbled = bytes.clone();
            for _ in 0..=random() % 4 {
                let at = usize::try_from(random()).unwrap() % garbled.len();
                match random() % 3 {
                    0 => garbled[at] = random().to_le_bytes()[0],
                    1 => {
                        garbled.remove(at);
                    }
                    _ => {
                        let to = (at + usize::try_from(random() % 40).unwrap()).min(garbled.len());
                        let piece = garbled[at..to].to_vec();
                        garbled.splice(at..at, piece);
                    }
                }
            }
            exercise(&garbled);
        }
    }
}

/// A description with something of the peer's own in every place there is one.
const HOSTILE: &str = "v=0\r\n\
    o=canary01 7777777701 7777777702 IN IP4 203.0.113.77\r\n\
    s=canary02\r\ni=canary03\r\nu=http://canary04.example/\r\ne=canary05@example.com\r\np=+79990000077\r\n\
    c=IN IP4 203.0.113.78\r\nb=AS:7777703\r\nt=7777777704 7777777705\r\nr=7777706 0 0\r\nz=7777707 0\r\nk=clear:canary06\r\n\
    a=tool:canary07\r\na=canary08\r\na=group:BUNDLE canary09\r\na=sess-id:canary10\r\n\
    m=video 47771 RTP/AVP 96 canary11\r\na=rtpmap:96 canary12/90000\r\n\
    m=audio 47772/9 RTP/AVP 8 119 118 120\r\ni=canary13\r\n\
    a=rtpmap:119 telephone-event/8000\r\na=fmtp:119 0-15,canary14\r\na=rtpmap:118 canary15/8000\r\n\
    a=rtcp:47773 IN IP4 203.0.113.79\r\na=ssrc:7777777708 cname:canary16\r\na=ssrc:7777777708 msid:canary17 canary18\r\n\
    a=msid:canary19\r\na=mid:canary20\r\na=label:canary21\r\na=x-canary22:canary23\r\n\
    a=candidate:canary24 1 udp 1 203.0.113.80 47774 typ srflx raddr 10.77.77.77 rport 47775\r\n\
    a=remote-candidates:1 203.0.113.81 47776\r\na=ice-ufrag:canary25\r\na=ice-pwd:canary26\r\n\
    a=fingerprint:sha-256 77:77:77\r\na=identity:canary27\r\na=setup:actpass\r\na=rtcp-mux\r\n\
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:canary28\r\na=ptime:20\r\na=sendrecv\r\n\
    m=image 47777 udptl t38 canary29\r\na=T38FaxVersion:0\r\na=canary30\r\n\
    m=message 47778 TCP/MSRP *\r\na=path:msrp://canary31.example:7777/canary32;tcp\r\n";

/// Words an answer may have in common with an offer: our own, and values from the list of what may cross.
const OURS: [&str; 38] = [
    "rtcp",
    "mux",
    "v",
    "0",
    "o",
    "s",
    "c",
    "t",
    "m",
    "a",
    "IN",
    "IP4",
    "audio",
    "video",
    "image",
    "message",
    "RTP",
    "AVP",
    "udptl",
    "t38",
    "TCP",
    "MSRP",
    "*",
    "8",
    "119",
    "rtpmap",
    "PCMA",
    "8000",
    "telephone",
    "event",
    "fmtp",
    "15",
    "ptime",
    "20",
    "sendrecv",
    "1",
    "198",
    "100",
];

#[test]
fn no_word_of_a_hostile_offer_appears_in_our_answer() {
    let offer = Description::parse(HOSTILE.as_bytes()).unwrap();
    let agreed = answer(&offer, &both_laws()).unwrap();
    let text = text_of(&write_answer(&local(), &offer, &agreed));
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !c.is_alphanumeric() && c != '*')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let common: Vec<_> = words(HOSTILE).intersection(&words(&text)).cloned().collect();
    let crossed: Vec<_> = common.iter().filter(|word| !OURS.contains(&word.as_str())).collect();
    assert!(crossed.is_empty(), "{crossed:?} in\n{text}");
    assert!(!text.contains("canary") && !text.contains("777"), "{text}");
}

#[test]
fn media_words_that_are_not_registered_are_not_repeated() {
    for line in ["m=canary 4002 RTP/AVP 0", "m=video 4002 RTP/CANARY 0", "m=audio 4002 canary 0"] {
        let text = format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n{line}\r\n");
        let offer = Description::parse(text.as_bytes()).unwrap();
        assert_eq!(answer(&offer, &both_laws()), Err(sdp::Refused::UnknownMedia), "{line}");
    }
}
