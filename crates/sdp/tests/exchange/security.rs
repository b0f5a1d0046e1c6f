//! Keys in descriptions (RFC 4568): each policy with each thing a peer may say.

use crate::corpus::{both_laws, description, local, text_of};
use sdp::{
    Capabilities, Description, KEY_LENGTH, Key, Keys, Offer, Refused, Secured, Security, Suite, answer,
    read_answer, write_answer, write_offer,
};

const KEYS: Keys =
    Keys([Key([1; KEY_LENGTH]), Key([2; KEY_LENGTH]), Key([3; KEY_LENGTH]), Key([4; KEY_LENGTH])]);
const LONG: &str = "AES_CM_128_HMAC_SHA1_80";
const SHORT: &str = "AES_CM_128_HMAC_SHA1_32";
const GCM: &str = "AEAD_AES_128_GCM";
/// Of RFC 4568 §4.
const THEIRS: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn with(security: Security) -> Capabilities {
    Capabilities { security, ..both_laws() }
}

fn policies() -> [Capabilities; 3] {
    [Security::Off, Security::Offered(KEYS), Security::Required(KEYS)].map(with)
}

fn said(lines: &[(&str, &[String])]) -> Description {
    let mut text = "v=0\r\nc=IN IP4 192.0.2.1\r\n".to_owned();
    for (protocol, crypto) in lines {
        text += &format!("m=audio 4000 {protocol} 8\r\n");
        for line in *crypto {
            text += &format!("a=crypto:{line}\r\n");
        }
    }
    Description::parse(text.as_bytes()).expect("a good description")
}

/// One of AES-GCM is two octets shorter.
fn key(tag: u32, suite: &str) -> String {
    let key = if suite == GCM { "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJQ==" } else { THEIRS };
    format!("{tag} {suite} inline:{key}")
}

/// The suite agreed, whether in answer or in offer.
fn suite(agreed: Result<sdp::Agreed, Refused>) -> Result<Option<Suite>, Refused> {
    agreed.map(|agreed| {
        agreed.secured.map(|Secured { suite, theirs, .. }| {
            assert_eq!(&theirs.0[..4], b"wDfv");
            suite
        })
    })
}

const OFF: Result<Option<Suite>, Refused> = Err(Refused::Secured);
const PLAIN: Result<Option<Suite>, Refused> = Ok(None);
const BY_LONG: Result<Option<Suite>, Refused> = Ok(Some(Suite::AesCm128HmacSha1_80));
const BY_SHORT: Result<Option<Suite>, Refused> = Ok(Some(Suite::AesCm128HmacSha1_32));
const BY_GCM: Result<Option<Suite>, Refused> = Ok(Some(Suite::AeadAes128Gcm));
const NO_KEY: Result<Option<Suite>, Refused> = Err(Refused::Crypto);
const NOT_PLAIN: Result<Option<Suite>, Refused> = Err(Refused::Plain);

#[test]
fn each_offer_is_answered_as_each_policy_says() {
    let (long, short, gcm) = (key(1, LONG), key(7, SHORT), key(2, GCM));
    let strange = key(1, "AES_256_CM_HMAC_SHA1_80");
    let clear = format!("{long} UNENCRYPTED_SRTP");
    let named = format!("{long}|2^31|1:4");
    // What is offered; what comes of it where SRTP is off, offered, required.
    let table = [
        ("RTP/AVP", vec![], [PLAIN, PLAIN, NOT_PLAIN]),
        ("RTP/AVPF", vec![], [PLAIN, PLAIN, NOT_PLAIN]),
        ("RTP/AVP", vec![long.clone()], [PLAIN, BY_LONG, BY_LONG]),
        ("RTP/AVP", vec![strange.clone()], [PLAIN, PLAIN, NOT_PLAIN]),
        ("RTP/SAVP", vec![], [OFF, NO_KEY, NO_KEY]),
        ("RTP/SAVP", vec![long.clone()], [OFF, BY_LONG, BY_LONG]),
        ("RTP/SAVPF", vec![short.clone()], [OFF, BY_SHORT, BY_SHORT]),
        ("RTP/SAVP", vec![short.clone(), long.clone()], [OFF, BY_SHORT, BY_SHORT]),
        ("RTP/SAVP", vec![gcm.clone(), long.clone()], [OFF, BY_GCM, BY_GCM]),
        ("RTP/SAVP", vec![long.clone(), gcm.clone()], [OFF, BY_LONG, BY_LONG]),
        ("RTP/AVP", vec![gcm], [PLAIN, BY_GCM, BY_GCM]),
        ("RTP/SAVP", vec![strange.clone(), long.clone()], [OFF, BY_LONG, BY_LONG]),
        ("RTP/SAVP", vec![strange], [OFF, NO_KEY, NO_KEY]),
        ("RTP/SAVP", vec![clear], [OFF, NO_KEY, NO_KEY]),
        ("RTP/SAVP", vec![named, short], [OFF, BY_SHORT, BY_SHORT]),
        ("UDP/TLS/RTP/SAVP", vec![long], [OFF, OFF, OFF]),
    ];
    for (protocol, lines, expected) in table {
        for (capabilities, expected) in policies().iter().zip(expected) {
            let offer = said(&[(protocol, &lines)]);
            assert_eq!(
                suite(answer(&offer, capabilities)),
                expected,
                "{protocol} {lines:?} {capabilities:?}"
            );
        }
    }
}

#[test]
fn each_answer_is_taken_as_each_policy_says() {
    let (long, short, gcm) = (key(1, LONG), key(4, SHORT), key(2, GCM));
    // What is answered; what comes of it where SRTP was off, offered, required.
    let table = [
        ("RTP/AVP", vec![], [PLAIN, PLAIN, NOT_PLAIN]),
        ("RTP/AVP", vec![long.clone()], [PLAIN, BY_LONG, BY_LONG]),
        ("RTP/SAVP", vec![long.clone()], [OFF, BY_LONG, BY_LONG]),
        ("RTP/SAVP", vec![short.clone()], [OFF, BY_SHORT, BY_SHORT]),
        ("RTP/SAVP", vec![gcm], [OFF, BY_GCM, BY_GCM]),
        ("RTP/SAVP", vec![], [OFF, NO_KEY, NO_KEY]),
        ("RTP/AVP", vec![key(3, LONG)], [PLAIN, NO_KEY, NO_KEY]),
        ("RTP/AVP", vec![key(1, SHORT)], [PLAIN, NO_KEY, NO_KEY]),
        ("RTP/SAVP", vec![format!("{long} KDR=1")], [OFF, NO_KEY, NO_KEY]),
        ("RTP/AVP", vec![format!("{long}|1:4")], [PLAIN, NO_KEY, NO_KEY]),
        ("UDP/TLS/RTP/SAVP", vec![long], [OFF, OFF, OFF]),
    ];
    for (protocol, lines, expected) in table {
        for (capabilities, expected) in policies().iter().zip(expected) {
            let answered = said(&[(protocol, &lines)]);
            let agreed = read_answer(&answered, &Offer::first(capabilities));
            assert_eq!(suite(agreed), expected, "{protocol} {lines:?} {capabilities:?}");
        }
    }
}

#[test]
fn of_several_streams_the_protected_one_is_taken() {
    let lines = [key(1, LONG)];
    let both: [(&str, &[String]); 2] = [("RTP/AVP", &[]), ("RTP/SAVP", &lines)];
    let [off, offered, required] = policies().map(|capabilities| {
        let offer = said(&both);
        let agreed = answer(&offer, &capabilities).unwrap();
        let text = text_of(&write_answer(&local(), &offer, &agreed));
        text.lines().filter(|line| line.starts_with("m=")).map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(off, ["m=audio 20000 RTP/AVP 8", "m=audio 0 RTP/SAVP 0"]);
    assert_eq!(offered, ["m=audio 0 RTP/AVP 0", "m=audio 20000 RTP/SAVP 8"]);
    assert_eq!(required, offered);
    // Linphone's own way of leaving it to us.
    let offer = description("linphone_offer_with_optional_srtp");
    assert_eq!(
        answer(&offer, &with(Security::Offered(KEYS))).unwrap().secured.unwrap().ours,
        KEYS.of(Suite::AesCm128HmacSha1_80)
    );
}

#[test]
fn an_answer_repeats_tag_and_suite_and_has_our_key() {
    let offer = said(&[("RTP/SAVP", &[key(12, SHORT), key(13, LONG)])]);
    let agreed = answer(&offer, &with(Security::Required(KEYS))).unwrap();
    assert_eq!(
        text_of(&write_answer(&local(), &offer, &agreed)),
        "v=0\r\no=- 4611 7 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/SAVP 8\r\na=rtpmap:8 PCMA/8000\r\n\
         a=crypto:12 AES_CM_128_HMAC_SHA1_32 inline:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\r\n\
         a=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn an_offer_has_a_key_for_each_suite() {
    let lines = |capabilities: &Capabilities| {
        let text = text_of(&write_offer(&local(), &Offer::first(capabilities)));
        let lines = text.lines().filter(|line| line.starts_with("m=") || line.starts_with("a=crypto"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let [off, offered, required] = policies().map(|capabilities| lines(&capabilities));
    assert_eq!(off, ["m=audio 20000 RTP/AVP 0 8 101"]);
    let keys = [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
        "a=crypto:2 AEAD_AES_128_GCM inline:AgICAgICAgICAgICAgICAgICAgICAgICAgICAg==",
        "a=crypto:3 AEAD_AES_256_GCM inline:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=",
        "a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
    ];
    assert_eq!(offered, [&["m=audio 20000 RTP/AVP 0 8 101"], &keys[..]].concat());
    assert_eq!(required, [&["m=audio 20000 RTP/SAVP 0 8 101"], &keys[..]].concat());
}

#[test]
fn two_of_us_agree_on_the_better_suite_and_each_has_the_keys_of_both() {
    let theirs = Keys([Key([9; KEY_LENGTH]); 4]);
    let long = Suite::AesCm128HmacSha1_80;
    for (one, other) in [
        (Security::Offered(KEYS), Security::Offered(theirs)),
        (Security::Required(KEYS), Security::Offered(theirs)),
        (Security::Offered(KEYS), Security::Required(theirs)),
    ] {
        let offered = Offer::first(&with(one));
        let offer = Description::parse(&write_offer(&local(), &offered)).unwrap();
        let answered = answer(&offer, &with(other)).unwrap();
        let back = Description::parse(&write_answer(&local(), &offer, &answered)).unwrap();
        let agreed = read_answer(&back, &offered).unwrap();
        let (ours, mirrored) = (agreed.secured.unwrap(), answered.secured.unwrap());
        assert_eq!((ours.suite, ours.ours, ours.theirs), (mirrored.suite, mirrored.theirs, mirrored.ours));
        assert_eq!((ours.suite, ours.ours, ours.theirs), (long, KEYS.of(long), theirs.of(long)));
        // A later offer keeps the line's transport and the key.
        let again = text_of(&write_offer(&local(), &Offer::again(&with(one), &agreed)));
        let first = text_of(&write_offer(&local(), &offered));
        assert_eq!(again, first);
    }
}

#[test]
fn no_key_shows_itself_in_what_a_log_could_say() {
    let offer = said(&[("RTP/SAVP", &[key(1, LONG)])]);
    let capabilities = with(Security::Required(KEYS));
    let agreed = answer(&offer, &capabilities).unwrap();
    let told = format!("{offer:?}{capabilities:?}{agreed:?}{:?}", Offer::first(&capabilities));
    assert!(
        told.matches("Key(..)").count() >= 6 && !told.contains("[1, 1") && !told.contains("119, 68"),
        "{told}"
    );
}
