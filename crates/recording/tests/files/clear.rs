//! WAV in the clear, and what all formats have in common.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use recording::{Format, Recording, Settings, repair};

use super::{samples, settings};

fn frames_of(path: &Path) -> Vec<i16> {
    samples(&std::fs::read(path).unwrap())
}

/// A whole file of so many frames, as another program writes it.
fn written_by_another(frames: usize) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for sample in 0..frames * 2 {
        writer.write_sample(i16::try_from(sample).unwrap()).unwrap();
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

#[test]
fn a_recording_can_be_played_from_the_first_moment_and_after_each_keep() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let mut recording = Recording::create(&Settings::wav(folder.path().into()), "a.wav").unwrap();
    assert_eq!(frames_of(&path), [] as [i16; 0]);
    recording.add(&[[1, 2], [3, 4]]).unwrap();
    recording.keep().unwrap();
    assert_eq!(frames_of(&path), [1, 2, 3, 4]);
    recording.add(&[[5, 6]]).unwrap();
    recording.finish().unwrap().sync().unwrap();
    assert_eq!(frames_of(&path), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn every_recording_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    for settings in [Format::Wav, Format::Opus]
        .into_iter()
        .flat_map(|format| [&[][..], &[1]].map(|keys| settings(folder.path(), format, keys)))
    {
        let name = format!("a.{}", settings.suffix());
        drop(Recording::create(&settings, &name).unwrap());
        let mode = std::fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn a_broken_off_recording_can_be_played_as_far_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = Recording::create(&Settings::wav(folder.path().into()), "a.wav").unwrap();
    recording.add(&[[1, 2]; 9_000]).unwrap();
    recording.break_off().unwrap();
    assert_eq!(frames_of(&folder.path().join("a.wav")).len(), 18_000);
}

#[test]
fn only_plain_new_names_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::wav(folder.path().into());
    for name in ["", ".", "..", ".hidden", "a/b.wav", "../a.wav", "a\0.wav"] {
        assert!(Recording::create(&settings, name).is_err(), "{name:?}");
    }
    drop(Recording::create(&settings, "a.wav").unwrap());
    let again = Recording::create(&settings, "a.wav").err().unwrap();
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
}

#[test]
fn sound_beyond_the_header_is_counted_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.wav");
    let mut bytes = written_by_another(100);
    let whole = written_by_another(200);
    bytes.extend_from_slice(&whole[bytes.len()..]);
    bytes.push(7);
    std::fs::write(&path, &bytes).unwrap();
    let settings = Settings::wav(folder.path().into());
    assert_eq!(repair(&settings).unwrap().repaired, [path.as_path()]);
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    assert_eq!(repair(&settings).unwrap().repaired, [] as [&Path; 0]);
}

#[test]
fn a_header_that_counts_more_than_there_is_is_set_right_wherever_the_file_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.wav");
    let whole = written_by_another(50);
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        repair(&Settings::wav(folder.path().into())).unwrap();
        assert_eq!(
            std::fs::read(&path).unwrap(),
            written_by_another(length.saturating_sub(44) / 4),
            "{length}"
        );
    }
}

#[test]
fn what_is_whole_or_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::wav(folder.path().into());
    let mut other = written_by_another(10);
    other[22] = 1; // one channel
    other.extend_from_slice(b"LIST");
    for (name, bytes) in [
        ("whole.wav", written_by_another(10)),
        ("other.wav", other),
        ("notes.txt", vec![1, 2, 3]),
        ("other.opus", b"OggS and nothing of ours".to_vec()),
    ] {
        std::fs::write(folder.path().join(name), &bytes).unwrap();
        assert_eq!(repair(&settings).unwrap().repaired, [] as [&Path; 0]);
        assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), bytes);
    }
    assert!(repair(&Settings::wav(folder.path().join("missing"))).unwrap().repaired.is_empty());
}
