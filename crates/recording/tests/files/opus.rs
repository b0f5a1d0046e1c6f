//! Ogg/Opus, read with the decoder of the reference implementation.

use std::io::Cursor;
use std::path::Path;

use ogg::PacketReader;
use recording::{Format, Recording, repair};
use unsafe_libopus::{
    opus_multistream_decode, opus_multistream_decoder_create, opus_multistream_decoder_destroy,
};

use super::{record, settings, tones};

/// What a player makes of a file: samples of each side at 48 kHz, as many as the last granule position says; and
/// whether the stream was ended.
fn play(octets: &[u8]) -> ([Vec<i16>; 2], bool) {
    let mut reader = PacketReader::new(Cursor::new(octets));
    let head = reader.read_packet_expected().unwrap().data;
    assert_eq!((&head[..10], head[18]), (&b"OpusHead\x01\x02"[..], 1));
    assert_eq!(&head[19..], [2, 0, 0, 1], "two streams, none coupled");
    let skip = usize::from(u16::from_le_bytes([head[10], head[11]]));
    assert!(reader.read_packet_expected().unwrap().data.starts_with(b"OpusTags"));
    let mut error = 0;
    // SAFETY: the mapping has an octet for each channel; the decoder is destroyed once, below.
    let decoder =
        unsafe { opus_multistream_decoder_create(48_000, 2, 2, 0, [0, 1].as_ptr(), &raw mut error) };
    assert_eq!(error, 0);
    let (mut sides, mut end, mut ended) = ([vec![], vec![]], 0, false);
    while let Ok(Some(packet)) = reader.read_packet() {
        let mut pcm = [0_i16; 2 * 5_760];
        let (data, length) = (packet.data.as_ptr(), i32::try_from(packet.data.len()).unwrap());
        // SAFETY: the packet has `length` octets, and `pcm` room for 5760 frames of two channels.
        let count = unsafe { opus_multistream_decode(decoder, data, length, pcm.as_mut_ptr(), 5_760, 0) };
        assert_eq!(count, 960, "20 ms");
        for frame in pcm[..2 * 960].chunks(2) {
            sides[0].push(frame[0]);
            sides[1].push(frame[1]);
        }
        end = usize::try_from(packet.absgp_page()).unwrap();
        ended = packet.last_in_stream();
    }
    // SAFETY: it was created above and is not used any more.
    unsafe { opus_multistream_decoder_destroy(decoder) };
    (sides.map(|side| side.get(skip..end).unwrap_or_default().to_vec()), ended)
}

/// How loud a frequency is (Goertzel), where 1 is a full tone of 8000.
fn loudness(samples: &[i16], hertz: f32) -> f32 {
    let (mut cosine, mut sine) = (0.0, 0.0);
    for (place, sample) in samples.iter().enumerate() {
        let phase = place as f32 * hertz / 48_000.0 * std::f32::consts::TAU;
        cosine += phase.cos() * f32::from(*sample);
        sine += phase.sin() * f32::from(*sample);
    }
    (cosine * cosine + sine * sine).sqrt() * 2.0 / samples.len() as f32 / 8_000.0
}

#[test]
fn each_side_is_heard_on_its_own_channel_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    record(&settings(folder.path(), Format::Opus, &[]), "a.opus", &tones(16_000, 440.0, 1_000.0));
    let octets = std::fs::read(folder.path().join("a.opus")).unwrap();
    assert!(octets.len() < 2 * 6_000, "{} octets of two seconds", octets.len());
    let ([left, right], ended) = play(&octets);
    assert!(ended);
    let found = [(&left, 440.0), (&right, 1_000.0), (&left, 1_000.0), (&right, 440.0)]
        .map(|(side, hertz)| loudness(&side[9_600..], hertz));
    assert!((0.8..1.2).contains(&found[0]) && (0.8..1.2).contains(&found[1]), "{found:?}");
    assert!(found[2] < 0.02 && found[3] < 0.02, "{found:?}");
}

#[test]
fn a_recording_is_as_long_as_what_was_said_to_the_frame() {
    for frames in [0, 1, 107, 108, 109, 159, 160, 161, 319, 320, 8_000, 12_345] {
        let folder = tempfile::tempdir().unwrap();
        record(&settings(folder.path(), Format::Opus, &[]), "a.opus", &tones(frames, 300.0, 700.0));
        let (sides, ended) = play(&std::fs::read(folder.path().join("a.opus")).unwrap());
        assert!(ended, "{frames}");
        assert_eq!(sides.map(|side| side.len()), [frames * 6; 2], "{frames}");
    }
}

#[test]
fn sound_lies_where_it_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut frames = vec![[0; 2]; 16_000];
    frames[8_000..8_800].copy_from_slice(&tones(800, 500.0, 500.0));
    record(&settings(folder.path(), Format::Opus, &[]), "a.opus", &frames);
    let ([left, _], _) = play(&std::fs::read(folder.path().join("a.opus")).unwrap());
    let begin = left.iter().position(|sample| sample.unsigned_abs() > 3_000).unwrap();
    assert!(begin.abs_diff(48_000) < 240, "{begin} of 48000");
}

#[test]
fn what_a_kill_leaves_can_be_played_and_is_ended_by_repair_wherever_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Format::Opus, &[]);
    let path = folder.path().join("a.opus");
    let mut recording = Recording::create(&settings, "a.opus").unwrap();
    recording.add(&tones(20_000, 440.0, 1_000.0)).unwrap();
    recording.keep().unwrap();
    let left = std::fs::read(&path).unwrap();
    let (sides, ended) = play(&left);
    assert!(
        !ended && sides[0].len() > 48_000 * 19 / 10,
        "two whole pages, a second each: {}",
        sides[0].len()
    );
    drop(recording);
    // From the end of the headers on; what is shorter is no stream yet.
    for length in (150..left.len()).step_by(61) {
        std::fs::write(&path, &left[..length]).unwrap();
        assert_eq!(repair(&settings).unwrap().repaired, [path.as_path()], "{length}");
        let (_, ended) = play(&std::fs::read(&path).unwrap());
        assert!(ended || std::fs::metadata(&path).unwrap().len() < 200, "{length}");
        assert_eq!(repair(&settings).unwrap().repaired, [] as [&Path; 0], "{length}");
    }
}

#[test]
fn a_whole_recording_is_left_alone_by_repair_and_one_with_something_behind_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Format::Opus, &[]);
    let path = folder.path().join("a.opus");
    // Longer than what repair reads of a whole one.
    record(&settings, "a.opus", &tones(8_000 * 30, 440.0, 1_000.0));
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.len() > 70_000, "{}", whole.len());
    assert_eq!(repair(&settings).unwrap().repaired, [] as [&Path; 0]);
    let mut longer = whole.clone();
    longer.extend_from_slice(b"OggS\x00");
    std::fs::write(&path, &longer).unwrap();
    assert_eq!(repair(&settings).unwrap().repaired, [path.as_path()]);
    assert_eq!(std::fs::read(&path).unwrap(), whole);
}
