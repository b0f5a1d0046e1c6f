//! No datagram that was not protected under the key is ever proved, as RTP or as RTCP, and what is protected is, once.

#![no_main]

use rtp::srtp::{LONGEST_LIFE, MASTER_LENGTH, Receiver, Sender, Unproven};
use rtp::{MasterKey, Suite};

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    // A tag of 32 bits could be met by chance.
    for suite in [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm] {
        exchange(suite, octets);
    }
});

fn exchange(suite: Suite, octets: &[u8]) {
    let key = MasterKey([7; MASTER_LENGTH]);
    let (mut sender, mut receiver) = (Sender::new(suite, &key), Receiver::new(suite, &key, LONGEST_LIFE));
    let mut bytes = octets.to_vec();
    assert_eq!(receiver.unprotect(&mut bytes), Err(Unproven));
    assert_eq!(receiver.unprotect_control(&mut bytes), Err(Unproven));
    assert_eq!(bytes, octets, "what is refused lies there as it came");
    let mut room = vec![0; octets.len() + 32];
    if let Some(protected) = sender.protect(octets, &mut room) {
        let mut bytes = protected.to_vec();
        let length = receiver.unprotect(&mut bytes).expect("what we protect is proved");
        assert_eq!(&bytes[..length], octets);
    }
    if let Some(protected) = sender.protect_control(octets, &mut room) {
        let mut bytes = protected.to_vec();
        let length = receiver.unprotect_control(&mut bytes).expect("what we protect is proved");
        assert_eq!(&bytes[..length], octets);
        assert_eq!(receiver.unprotect_control(&mut protected.to_vec()), Err(Unproven));
    }
}
