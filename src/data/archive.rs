//! Archives as trees: zip, tar, and tar packed by gzip.

use super::file::{FILE_LIMIT, File, Place};
use super::tree::{self, Tree};
use super::{memory, zip};
use crate::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use tar::{Archive, EntryType};

/// The most bytes that an archive packed by gzip may unpack to: it is held in memory.
const UNPACKED_LIMIT: u64 = 4 << 30;

/// The first bytes of a file that gzip packed.
pub(super) const GZIP: &[u8] = &[0x1f, 0x8b];

/// Whether a file's name ends like that of an archive.
pub(super) fn is_archive(name: &str) -> bool {
    let name = name.to_lowercase();
    [".zip", ".tar", ".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending))
}

/// The tree of the archive at `path`, or `None` if the file is not an archive.
pub(super) fn of(path: &Path) -> Result<Option<Tree>> {
    let begin = File::single(path).begin(512)?;
    if begin.starts_with(zip::MAGIC) || begin.starts_with(zip::EMPTY) {
        return of_zip(path).map(Some);
    }
    if begin.starts_with(GZIP) {
        // What cannot be unpacked is no archive that is known here: the reader of IDX files says what is wrong with it.
        let mut head = Vec::new();
        let unpacked = MultiGzDecoder::new(opened(path)?).take(512).read_to_end(&mut head);
        return if unpacked.is_ok() && is_tar(&head) { of_packed_tar(path).map(Some) } else { Ok(None) };
    }
    if is_tar(&begin) { of_tar(path).map(Some) } else { Ok(None) }
}

/// Whether these bytes are the header of a first entry, whose sum of bytes stands in it.
fn is_tar(begin: &[u8]) -> bool {
    let Some(head) = begin.first_chunk::<512>() else { return false };
    let digits = head[148..156].iter().filter(|byte| byte.is_ascii_digit());
    let announced = digits.fold(0_u32, |sum, digit| (sum << 3).wrapping_add(u32::from(digit & 7)));
    let own = |place: usize| if (148..156).contains(&place) { b' ' } else { head[place] };
    head[0] != 0 && (0..512).map(|place| u32::from(own(place))).sum::<u32>() == announced
}

fn opened(path: &Path) -> Result<BufReader<std::fs::File>> {
    std::fs::File::open(path).map(BufReader::new).map_err(|error| Error::io(path, error))
}

fn damaged(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof | ErrorKind::Other => {
            let problem = format!("the archive cannot be read: {error}");
            Error::data(path, problem, "copy or download it again, or unpack it and give the folder")
        }
        _ => Error::io(path, error),
    }
}

fn of_zip(path: &Path) -> Result<Tree> {
    let failed = |error| damaged(path, error);
    let archive: Arc<Path> = path.into();
    let listed = zip::entries(&mut opened(path)?).map_err(failed)?;
    let place = |entry: zip::Entry| match entry.link {
        true => (entry.name.clone(), None),
        false => (entry.name.clone(), Some(Place::Zipped(archive.clone(), entry))),
    };
    Ok(tree::of_archive(path, listed.into_iter().map(place).collect()))
}

/// The only file in `file`, a zip archive.
pub(super) fn only_file(file: &File) -> Result<File> {
    let mut reader = file.open_to_move()?;
    let listed = zip::entries(&mut reader).map_err(|error| damaged(file.path(), error))?;
    let files: Vec<zip::Entry> = listed
        .into_iter()
        .filter(|entry| {
            !entry.name.ends_with('/') && !entry.name.split('/').any(|it| tree::litter(it).is_some())
        })
        .collect();
    let [entry] = &files[..] else {
        let problem = format!("this archive holds {} files, where one is expected", files.len());
        return Err(Error::data(file.path(), problem, "unpack it, and give the folder"));
    };
    let place = if file.is_own() {
        Place::Zipped(file.path().into(), entry.clone())
    } else {
        let mut bytes = Vec::new();
        let unpacked = entry.open(reader).and_then(|it| it.take(FILE_LIMIT).read_to_end(&mut bytes));
        unpacked.map_err(|error| damaged(file.path(), error))?;
        Place::Memory(bytes.into())
    };
    let path = file.path().join(entry.name.split('/').collect::<std::path::PathBuf>());
    Ok(File::of(path, file.name.clone(), place))
}

fn of_tar(path: &Path) -> Result<Tree> {
    let failed = |error| damaged(path, error);
    let mut reader = opened(path)?;
    let length = reader.seek(SeekFrom::End(0)).map_err(failed)?;
    reader.rewind().map_err(failed)?;
    let archive: Arc<Path> = path.into();
    let mut entries = Vec::new();
    for entry in Archive::new(reader).entries_with_seek().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (start, size) = (entry.raw_file_position(), entry.size());
        let (name, regular) = named(&entry);
        if regular && start.checked_add(size).is_none_or(|end| end > length) {
            return Err(failed(io::Error::new(ErrorKind::UnexpectedEof, "it is cut off")));
        }
        let place = Place::Span { of: archive.clone(), start, length: size };
        entries.push((name, regular.then_some(place)));
    }
    Ok(tree::of_archive(path, entries))
}

/// Unpacks the archive once, into memory.
fn of_packed_tar(path: &Path) -> Result<Tree> {
    let failed = |error| damaged(path, error);
    let limit = UNPACKED_LIMIT.min(memory::available());
    let too_large = || {
        let problem =
            format!("the archive unpacks to more than the {} that can be held", memory::amount(limit));
        Error::data(path, problem, "unpack it (tar -xzf FILE) and give the folder")
    };
    let mut left = limit;
    let mut entries = Vec::new();
    let reader = MultiGzDecoder::new(opened(path)?);
    for entry in Archive::new(reader).entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let (name, regular) = named(&entry);
        let wanted = regular && !name.split('/').any(|part| tree::litter(part).is_some());
        let mut bytes = Vec::new();
        if wanted {
            let size = entry.size();
            left = left.checked_sub(size).ok_or_else(too_large)?;
            entry.read_to_end(&mut bytes).map_err(failed)?;
            if bytes.len() as u64 != size {
                return Err(failed(io::Error::new(ErrorKind::UnexpectedEof, "it is cut off")));
            }
        }
        entries.push((name, regular.then(|| Place::Memory(bytes.into()))));
    }
    Ok(tree::of_archive(path, entries))
}

/// The name of an entry, and whether it is a file.
fn named<R: Read>(entry: &tar::Entry<'_, R>) -> (String, bool) {
    let mut name = tree::text(&entry.path_bytes());
    let kind = entry.header().entry_type();
    if kind.is_dir() && !name.ends_with('/') {
        name.push('/');
    }
    (name, matches!(kind, EntryType::Regular | EntryType::Continuous))
}
