//! Zip archives (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>), as far as `.npz` files and archives of
//! pictures need them: files that are stored or deflated, of any size.

use flate2::{Crc, read::DeflateDecoder};
use std::io::{self, Error, ErrorKind, Read, Seek, SeekFrom};

/// The first bytes of an archive that holds a file.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
/// The first bytes of an archive that holds none.
pub(super) const EMPTY: &[u8] = b"PK\x05\x06";

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name, where bytes that are not UTF-8 stand as `\xFF`. Those of folders end in `/`.
    pub(super) name: String,
    /// Whether it is a link.
    pub(super) link: bool,
    flags: u16,
    method: u16,
    checksum: u32,
    /// Bytes in the archive, and unpacked.
    packed: u64,
    size: u64,
    /// Where its header begins.
    offset: u64,
}

fn wrong(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, problem.into())
}

/// `N` bytes of `bytes` from `at` on.
fn take<const N: usize>(bytes: &[u8], at: usize) -> io::Result<[u8; N]> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk::<N>());
    found.copied().ok_or_else(|| wrong("the archive ends early"))
}

fn short(bytes: &[u8], at: usize) -> io::Result<u16> {
    take(bytes, at).map(u16::from_le_bytes)
}

fn word(bytes: &[u8], at: usize) -> io::Result<u32> {
    take(bytes, at).map(u32::from_le_bytes)
}

fn long(bytes: &[u8], at: usize) -> io::Result<u64> {
    take(bytes, at).map(u64::from_le_bytes)
}

/// `length` bytes of the file from `start` on.
fn read_at<R: Read + Seek>(file: &mut R, start: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The files of an archive, by its directory, which stands at its end.
pub(super) fn entries(file: &mut (impl Read + Seek)) -> io::Result<Vec<Entry>> {
    let length = file.seek(SeekFrom::End(0))?;
    // A comment of up to 65,535 bytes may follow.
    let start = length.saturating_sub(22 + 65_535);
    let tail = read_at(file, start, length)?;
    let end = tail.windows(4).rposition(|four| four == b"PK\x05\x06");
    let end = end.ok_or_else(|| wrong("it has no directory: it was cut off, or is no zip archive"))?;
    let (mut count, mut size, mut offset) = (
        u64::from(short(&tail, end + 10)?),
        u64::from(word(&tail, end + 12)?),
        u64::from(word(&tail, end + 16)?),
    );
    if end >= 20 && tail[end - 20..].starts_with(b"PK\x06\x07") {
        let wide = read_at(file, long(&tail, end - 20 + 8)?, 56)?;
        (count, size, offset) = (long(&wide, 32)?, long(&wide, 40)?, long(&wide, 48)?);
    }
    let directory = read_at(file, offset, size)?;
    let mut found = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        if word(&directory, at)? != 0x0201_4b50 {
            return Err(wrong("its directory is damaged"));
        }
        let [name, extra, comment] =
            [short(&directory, at + 28)?, short(&directory, at + 30)?, short(&directory, at + 32)?]
                .map(usize::from);
        let name_at = at + 46;
        let next = name_at + name + extra + comment;
        let Some(record) = directory.get(name_at..next) else {
            return Err(wrong("its directory is cut off"));
        };
        let mut entry = Entry {
            name: super::tree::text(&record[..name]),
            // The upper half are the rights and the kind of file of Unix, where the archive was made there.
            link: word(&directory, at + 38)? >> 28 == 0xa,
            flags: short(&directory, at + 8)?,
            method: short(&directory, at + 10)?,
            checksum: word(&directory, at + 16)?,
            packed: word(&directory, at + 20)?.into(),
            size: word(&directory, at + 24)?.into(),
            offset: word(&directory, at + 42)?.into(),
        };
        entry.widen(&record[name..name + extra])?;
        found.push(entry);
        at = next;
    }
    Ok(found)
}

impl Entry {
    /// Take the numbers that do not fit into 32 bits from the extra field with the number 1.
    fn widen(&mut self, extra: &[u8]) -> io::Result<()> {
        let mut at = 0;
        while at + 4 <= extra.len() {
            let (kind, length) = (short(extra, at)?, usize::from(short(extra, at + 2)?));
            let mut place = at + 4;
            if kind == 1 {
                for number in [&mut self.size, &mut self.packed, &mut self.offset] {
                    if *number == u64::from(u32::MAX) {
                        *number = long(extra, place)?;
                        place += 8;
                    }
                }
            }
            at += 4 + length;
        }
        Ok(())
    }

    /// The file's content, unpacked. Its last byte is an error where the checksum differs.
    pub(super) fn open<'a>(&self, mut file: impl Read + Seek + 'a) -> io::Result<Box<dyn Read + 'a>> {
        let header = read_at(&mut file, self.offset, 30)?;
        if !header.starts_with(MAGIC) {
            return Err(wrong("the header of a file in it is damaged"));
        }
        let [name, extra] = [short(&header, 26)?, short(&header, 28)?].map(u64::from);
        let start = self.offset.checked_add(30 + name + extra);
        file.seek(SeekFrom::Start(start.ok_or_else(|| wrong("a file in it begins nowhere"))?))?;
        let packed = file.take(self.packed);
        let (crc, left, checksum) = (Crc::new(), self.size, self.checksum);
        match (self.flags & 1, self.method) {
            (0, 0) => Ok(Box::new(Checked { from: packed, crc, left, checksum })),
            (0, 8) => Ok(Box::new(Checked { from: DeflateDecoder::new(packed), crc, left, checksum })),
            (0, method) => {
                Err(wrong(format!("a file in it is packed by method {method}, not stored or deflated")))
            }
            _ => Err(wrong("a file in it is encrypted")),
        }
    }
}

/// A reader of `left` bytes with this checksum.
struct Checked<R> {
    from: R,
    crc: Crc,
    left: u64,
    checksum: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.from.read(&mut buffer[..most])?;
        self.crc.update(&buffer[..count]);
        self.left -= count as u64;
        match (count, self.left) {
            (0, _) => Err(ErrorKind::UnexpectedEof.into()),
            (_, 0) if self.crc.sum() != self.checksum => Err(wrong("the checksum of a file in it is wrong")),
            _ => Ok(count),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    /// An archive of these files, stored and deflated by turns; with `wide` as NumPy writes large ones.
    pub(in crate::data) fn archive(files: &[(&str, Vec<u8>)], wide: bool) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (number, (name, content)) in files.iter().enumerate() {
            let deflated = number % 2 == 1;
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            let packed = if deflated { encoder.finish().unwrap() } else { content.clone() };
            let mut crc = Crc::new();
            crc.update(content);
            let sizes = [packed.len() as u64, content.len() as u64];
            let offset = bytes.len() as u64;
            let fields = |sizes: [u64; 2]| {
                let method = if deflated { 8_u16 } else { 0 };
                let mut head = [&45_u16.to_le_bytes()[..], &[0, 0], &method.to_le_bytes(), &[0; 4]].concat();
                head.extend(crc.sum().to_le_bytes());
                sizes
                    .iter()
                    .for_each(|&size| head.extend((if wide { u32::MAX } else { size as u32 }).to_le_bytes()));
                head.extend((name.len() as u16).to_le_bytes());
                head
            };
            let mut extra = Vec::new();
            if wide {
                extra.extend([1, 0, 24, 0]);
                [sizes[1], sizes[0], offset].iter().for_each(|number| extra.extend(number.to_le_bytes()));
            }
            bytes.extend(MAGIC);
            bytes.extend(fields(sizes));
            bytes.extend((extra.len() as u16).to_le_bytes());
            bytes.extend(name.bytes().chain(extra.clone()).chain(packed));
            directory.extend(b"PK\x01\x02\x2d\x00");
            directory.extend(fields(sizes));
            directory.extend((extra.len() as u16).to_le_bytes());
            directory.extend([0; 10]);
            directory.extend((if wide { u32::MAX } else { offset as u32 }).to_le_bytes());
            directory.extend(name.bytes().chain(extra));
        }
        let (start, size, count) = (bytes.len() as u64, directory.len() as u64, files.len() as u64);
        bytes.extend(directory);
        if wide {
            let end = bytes.len() as u64;
            bytes.extend(b"PK\x06\x06");
            bytes.extend([0; 28]);
            [count, size, start].iter().for_each(|number| bytes.extend(number.to_le_bytes()));
            bytes.extend(b"PK\x06\x07\0\0\0\0");
            bytes.extend(end.to_le_bytes());
            bytes.extend([1, 0, 0, 0]);
        }
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        let [count, size, start] = if wide { [u64::MAX; 3] } else { [count, size, start] };
        bytes.extend([(count as u16).to_le_bytes(), (count as u16).to_le_bytes()].concat());
        bytes.extend([(size as u32).to_le_bytes(), (start as u32).to_le_bytes()].concat());
        bytes.extend([0, 0]);
        bytes
    }

    fn content(archive: &[u8], index: usize) -> io::Result<Vec<u8>> {
        let mut file = Cursor::new(archive);
        let entry = entries(&mut file)?.swap_remove(index);
        let mut bytes = Vec::new();
        entry.open(&mut file)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn stored_and_deflated_files_are_read() {
        let files = [("a.npy", b"first".to_vec()), ("b.npy", vec![7; 100_000]), ("c", Vec::new())];
        for wide in [false, true] {
            let archive = archive(&files, wide);
            let names: Vec<String> =
                entries(&mut Cursor::new(&archive)).unwrap().into_iter().map(|entry| entry.name).collect();
            assert_eq!(names, ["a.npy", "b.npy", "c"]);
            for (index, (_, expected)) in files.iter().enumerate() {
                assert_eq!(content(&archive, index).unwrap(), *expected, "{wide}");
            }
        }
    }

    #[test]
    fn damage_is_noticed() {
        let whole = archive(&[("a", b"content".to_vec()), ("b", vec![7; 1000])], false);
        let place = whole.windows(7).position(|it| it == b"content").unwrap();
        let mut changed = whole.clone();
        changed[place] = b'k';
        assert!(content(&changed, 0).unwrap_err().to_string().contains("checksum"));
        assert!(content(&changed, 1).is_ok());
        // The last two bytes are the length of a comment.
        for length in 0..whole.len() - 2 {
            assert!(content(&whole[..length], 1).is_err(), "{length}");
        }
        let mut encrypted = whole.clone();
        let directory = whole.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
        encrypted[directory + 8] = 1;
        assert!(content(&encrypted, 0).unwrap_err().to_string().contains("encrypted"));
    }
}
