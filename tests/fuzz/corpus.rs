//! The files that a target begins with, changed at random.

use std::{fs, path::PathBuf};

use bolero::{ValueGenerator, produce};

/// A change: what kind, where, how long, with what.
type Edit = (u8, u16, u8, u8);

/// The files of a target's corpus with up to a few changes. `target` is the name
/// of the test that replays them as they are.
pub fn mutated(target: &str) -> impl ValueGenerator<Output = Vec<u8>> {
    let files = files(target);
    produce::<(u16, u16, Vec<Edit>)>().map_gen(move |(which, other, edits)| {
        let file = |which: u16| &files[usize::from(which) % files.len()];
        let mut bytes = file(which).clone();
        for edit in edits.into_iter().take(8) {
            apply(edit, &mut bytes, file(other));
        }
        bytes
    })
}

fn files(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/__fuzz__");
    let folder = folder.join(target.replace("::", "__")).join("corpus");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    // The same order everywhere, so that a seed repeats a run.
    paths.sort();
    assert!(!paths.is_empty(), "{folder:?} has no files");
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}

fn apply((kind, at, length, byte): Edit, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = usize::from(at) % (bytes.len() + 1);
    let end = (at + usize::from(length)).min(bytes.len());
    match kind % 8 {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.insert(at, byte),
        3 => drop(bytes.splice(at..at, std::iter::repeat_n(byte, usize::from(length)))),
        // Twice the same.
        4 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
        // A piece of another file.
        5 => {
            let from = usize::from(length) % (other.len() + 1);
            let to = (from + usize::from(byte)).min(other.len());
            drop(bytes.splice(at..end, other[from..to].iter().copied()));
        }
        6 => bytes[at..end].fill(byte),
        _ => {
            if let Some(changed) = bytes.get_mut(at) {
                *changed ^= 1 << (byte % 8);
            }
        }
    }
}
