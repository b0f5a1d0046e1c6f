//! Sealed recordings: what is read is what was written, or it is said why not.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use recording::{Ending, Format, OpenError, Opened, Recording, repair};
use tempfile::TempDir;

use super::{key, keys, opened, record, samples, settings, tones};

const HEADER: usize = 83;
const CHUNK: usize = 2_048;
const SEALED_CHUNK: usize = CHUNK + 16;

/// A sealed WAV recording of so many frames; what is on disk.
fn sealed(frames: &[[i16; 2]]) -> (TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    record(&settings(folder.path(), Format::Wav, &[1]), "a.wav.sealed", frames);
    let path = folder.path().join("a.wav.sealed");
    let octets = std::fs::read(&path).unwrap();
    (folder, path, octets)
}

#[test]
fn both_formats_are_read_as_they_would_lie_in_the_clear() {
    let frames = tones(12_345, 440.0, 1_000.0);
    let (_folder, path, octets) = sealed(&frames);
    let (wav, ending) = opened(&path, &[1]).unwrap();
    assert_eq!((samples(&wav), ending), (frames.as_flattened().to_vec(), Ending::Whole));
    let sound: Vec<u8> = frames.as_flattened().iter().flat_map(|sample| sample.to_le_bytes()).collect();
    assert!(!octets.windows(16).any(|window| window == &sound[4_000..4_016]), "nothing of it on the disk");
    let folder = tempfile::tempdir().unwrap();
    record(&settings(folder.path(), Format::Opus, &[1]), "a.opus.sealed", &frames);
    let (opus, ending) = opened(&folder.path().join("a.opus.sealed"), &[1]).unwrap();
    assert_eq!((&opus[..4], &opus[28..36], ending), (&b"OggS"[..], &b"OpusHead"[..], Ending::Whole));
}

#[test]
fn one_recording_twice_has_nothing_in_common_on_disk() {
    let frames = tones(4_000, 440.0, 1_000.0);
    let ((_one, _, first), (_two, _, second)) = (sealed(&frames), sealed(&frames));
    assert_ne!(first[HEADER..HEADER + 64], second[HEADER..HEADER + 64]);
}

#[test]
fn old_keys_open_and_the_first_seals() {
    let (folder, path, _) = sealed(&tones(100, 440.0, 1_000.0));
    record(&settings(folder.path(), Format::Wav, &[2, 1]), "b.wav.sealed", &[[1, 2]]);
    let new = folder.path().join("b.wav.sealed");
    assert!(opened(&path, &[2, 1]).is_ok() && opened(&new, &[2, 1]).is_ok());
    assert!(matches!(opened(&path, &[2]), Err(OpenError::NoKey(_))));
    assert!(matches!(opened(&new, &[1]), Err(OpenError::NoKey(_))));
    let fault = opened(&new, &[]).unwrap_err().to_string();
    assert!(fault.contains(&format!("{:?}", key(2))[4..20]), "{fault} names the key that is wanted");
}

#[test]
fn no_octet_can_be_changed_unnoticed() {
    let (_folder, path, octets) = sealed(&tones(1_500, 440.0, 1_000.0));
    for place in (0..HEADER).chain((HEADER..octets.len()).step_by(7)).chain(octets.len() - 17..octets.len()) {
        let mut changed = octets.clone();
        changed[place] ^= 0x40;
        std::fs::write(&path, &changed).unwrap();
        match opened(&path, &[1]) {
            Err(OpenError::Damaged(_) | OpenError::NoKey(_)) => {}
            // A last chunk that is none any more: the recording has no end.
            Ok((_, Ending::Missing)) if place >= HEADER + 2 * SEALED_CHUNK => {}
            other => panic!("{place}: {other:?}"),
        }
    }
}

#[test]
fn chunks_cannot_be_exchanged_and_files_not_be_renamed() {
    let (_folder, path, octets) = sealed(&tones(4_000, 440.0, 1_000.0));
    assert!(Opened::open(&path, &keys(&[1])).unwrap().is_of("a.wav.sealed"));
    assert!(!Opened::open(&path, &keys(&[1])).unwrap().is_of("b.wav.sealed"));
    let mut exchanged = octets.clone();
    let (first, second) = exchanged[HEADER..HEADER + 2 * SEALED_CHUNK].split_at_mut(SEALED_CHUNK);
    first.swap_with_slice(second);
    std::fs::write(&path, &exchanged).unwrap();
    assert!(matches!(opened(&path, &[1]), Err(OpenError::Damaged(_))));
    let mut without = octets;
    without.drain(HEADER..HEADER + SEALED_CHUNK);
    std::fs::write(&path, &without).unwrap();
    assert!(matches!(opened(&path, &[1]), Err(OpenError::Damaged(_))));
}

#[test]
fn a_file_cut_anywhere_is_told_and_read_to_its_last_whole_chunk() {
    let frames = tones(1_500, 440.0, 1_000.0);
    let (_folder, path, octets) = sealed(&frames);
    assert_eq!(octets.len(), HEADER + 2 * SEALED_CHUNK + (6_000 - 2 * CHUNK) + 16);
    for length in 0..octets.len() {
        std::fs::write(&path, &octets[..length]).unwrap();
        match opened(&path, &[1]) {
            Err(OpenError::Damaged(_)) if length < HEADER => {}
            Ok((wav, Ending::Missing)) if length >= HEADER => {
                let whole = (length - HEADER) / SEALED_CHUNK * CHUNK / 4;
                assert_eq!(samples(&wav), frames[..whole].as_flattened(), "{length}");
            }
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn what_a_crash_leaves_is_ended_by_repair_and_stays_told_as_broken_off() {
    let frames = tones(1_500, 440.0, 1_000.0);
    let (folder, path, octets) = sealed(&frames);
    let settings = settings(folder.path(), Format::Wav, &[2, 1]);
    assert_eq!(repair(&settings).unwrap().repaired, [] as [&Path; 0], "it is whole");
    for length in (HEADER..octets.len()).step_by(13).chain([HEADER + SEALED_CHUNK, HEADER + 2 * SEALED_CHUNK])
    {
        std::fs::write(&path, &octets[..length]).unwrap();
        assert_eq!(repair(&settings).unwrap().repaired, [path.as_path()], "{length}");
        let (wav, ending) = opened(&path, &[1]).unwrap();
        let whole = (length - HEADER) / SEALED_CHUNK * CHUNK / 4;
        assert_eq!((&samples(&wav)[..], ending), (frames[..whole].as_flattened(), Ending::BrokenOff));
        assert_eq!(repair(&settings).unwrap().repaired, [] as [&Path; 0], "{length}");
    }
}

#[test]
fn what_cannot_be_read_is_told_by_repair_and_left_as_it_is() {
    let (folder, path, octets) = sealed(&tones(100, 440.0, 1_000.0));
    std::fs::write(&path, &octets[..octets.len() - 1]).unwrap();
    let found = repair(&settings(folder.path(), Format::Wav, &[2])).unwrap();
    assert!(matches!(&found.unreadable[..], [(at, OpenError::NoKey(_))] if *at == path), "{found:?}");
    assert_eq!(std::fs::read(&path).unwrap(), octets[..octets.len() - 1]);
}

#[test]
fn a_growing_recording_can_be_read_up_to_its_last_whole_chunk_and_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording =
        Recording::create(&settings(folder.path(), Format::Wav, &[1]), "a.wav.sealed").unwrap();
    let path = folder.path().join("a.wav.sealed");
    assert_eq!(samples(&opened(&path, &[1]).unwrap().0), [] as [i16; 0]);
    recording.add(&[[1, 2]; 8_000]).unwrap();
    recording.keep().unwrap();
    let (wav, ending) = opened(&path, &[1]).unwrap();
    assert_eq!((samples(&wav).len(), ending), (32_000 / CHUNK * CHUNK / 2, Ending::Missing));
    recording.break_off().unwrap();
    assert_eq!(opened(&path, &[1]).unwrap().1, Ending::BrokenOff);
}

#[test]
fn a_file_in_the_clear_is_no_sealed_one() {
    let folder = tempfile::tempdir().unwrap();
    record(&settings(folder.path(), Format::Wav, &[]), "a.wav", &[[1, 2]; 100]);
    let forged = folder.path().join("b.wav.sealed");
    std::fs::rename(folder.path().join("a.wav"), &forged).unwrap();
    assert!(matches!(opened(&forged, &[1]), Err(OpenError::Damaged(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_part_is_the_same_as_of_the_whole(
        frames in 0_usize..3_000,
        blocks in 1_usize..900,
        offset in 0_u64..13_000,
        count in 0_usize..6_000,
    ) {
        let said = tones(frames, 440.0, 1_000.0);
        let folder = tempfile::tempdir().unwrap();
        let mut recording =
            Recording::create(&settings(folder.path(), Format::Wav, &[1]), "a.wav.sealed").unwrap();
        for block in said.chunks(blocks) {
            recording.add(block).unwrap();
        }
        recording.finish().unwrap();
        let path = folder.path().join("a.wav.sealed");
        let (whole, _) = opened(&path, &[1]).unwrap();
        prop_assert_eq!(samples(&whole), said.as_flattened());
        let part = Opened::open(&path, &keys(&[1])).unwrap().read_at(offset, count).unwrap();
        let begin = whole.len().min(offset as usize);
        let end = whole.len().min(begin + count);
        prop_assert_eq!(&part[..], &whole[begin..end]);
    }
}
