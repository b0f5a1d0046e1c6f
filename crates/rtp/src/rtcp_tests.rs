use super::*;

const CNAME_OF_OURS: [u8; 16] = *b"0123456789abcdef";
const INFO: SenderInfo = SenderInfo { ntp: 0x0102_0304_0506_0708, timestamp: 9, packets: 10, octets: 11 };
const BLOCK: ReportBlock = ReportBlock {
    ssrc: 5,
    fraction_lost: 25,
    lost: -3,
    highest: 0x0001_0002,
    jitter: 6,
    last_report: 7,
    delay: 8,
};

fn whole() -> Vec<u8> {
    Writer::new(1, Some(INFO), Some(BLOCK)).cname(1, &CNAME_OF_OURS).bye(1).octets().to_vec()
}

#[test]
fn what_is_written_reads_back() {
    let octets = whole();
    let compound = Compound::parse(&octets).unwrap();
    assert_eq!(compound.sender(), Some((1, INFO)));
    assert_eq!(compound.blocks().collect::<Vec<_>>(), [BLOCK]);
    let receiver = Writer::new(1, None, None).cname(1, &CNAME_OF_OURS);
    let compound = Compound::parse(receiver.octets()).unwrap();
    assert_eq!(compound.sender(), None);
    assert_eq!(compound.blocks().count(), 0);
}

#[test]
fn we_say_our_chance_name_and_nothing_else_of_us() {
    let octets = whole();
    // After 52 octets of sender report: one source, its CNAME, end of list; a farewell without a reason.
    assert_eq!(octets[52..56], [0x81, 202, 0, 6]);
    assert_eq!(octets[60..62], [1, 16]);
    assert_eq!(octets[62..78], CNAME_OF_OURS);
    assert_eq!(octets[78..], [0, 0, 0x81, 203, 0, 1, 0, 0, 0, 1]);
}

#[test]
fn cut_anywhere_it_is_refused_or_ends_between_packets() {
    let octets = whole();
    for length in 0..octets.len() {
        let whole_packets = [52, 80].contains(&length);
        assert_eq!(Compound::parse(&octets[..length]).is_ok(), whole_packets, "{length}");
    }
}

#[test]
fn what_does_not_add_up_is_refused() {
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    let with = |rest: &[u8]| [&report[..], rest].concat();
    let cases: [(Vec<u8>, ControlError); 15] = [
        (vec![], ControlError::Length),
        (vec![0x80, 201, 0, 0], ControlError::Length),
        (vec![0x80, 200, 0, 1, 0, 0, 0, 1], ControlError::Length),
        (vec![0x81, 201, 0, 1, 0, 0, 0, 1], ControlError::Length),
        (vec![0x80, 201, 0xFF, 0xFF, 0, 0, 0, 1], ControlError::Length),
        (vec![0x40, 201, 0, 1, 0, 0, 0, 1], ControlError::Version),
        (vec![0x80, 8, 0, 1, 0, 0, 0, 1], ControlError::Type),
        (vec![0x81, 202, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0], ControlError::Order),
        (vec![0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4], ControlError::Padding),
        (with(&[0x80, 203]), ControlError::Length),
        (with(&[0x82, 203, 0, 1, 0, 0, 0, 1]), ControlError::Length),
        (with(&[0x80, 224, 0, 0]), ControlError::Type),
        (with(&[0xA0, 207, 0, 1, 0, 0, 0, 8]), ControlError::Padding),
        (with(&[0xA0, 207, 0, 1, 0, 0, 0, 3]), ControlError::Padding),
        (vec![0; MAX_LENGTH + 1], ControlError::TooLong),
    ];
    for (octets, error) in cases {
        assert_eq!(Compound::parse(&octets), Err(error), "{octets:x?}");
    }
}

#[test]
fn the_last_packet_may_be_padded_and_what_we_do_not_know_is_stepped_over() {
    let octets = [
        &[0x80, 201, 0, 1, 0, 0, 0, 1][..],
        &[0x80, 207, 0, 1, 0, 0, 0, 1],
        &[0xA0, 204, 0, 3, 0, 0, 0, 1, b'n', b'a', b'm', b'e', 0, 0, 0, 4],
    ]
    .concat();
    assert!(Compound::parse(&octets).is_ok());
}
