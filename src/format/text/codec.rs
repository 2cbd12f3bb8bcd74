//! Files that are compressed as a whole, as their names say. They are read from front to back.

use crate::error::{Error, Result};
use crate::format::reader::DataFile;
use crate::format::retry::Patient;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Bytes read from the file at a time. Guessed.
const READ_BYTES: usize = 256 << 10;
/// A block of Hadoop's Snappy holds no more: one that says so is damage. Hadoop's default is 256 KiB.
const SNAPPY_BLOCK_MAX: usize = 64 << 20;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Codec {
    None,
    Gzip,
    Deflate,
    Zstd,
    Bzip2,
    Snappy,
    Lz4,
}

const EXTENSIONS: &[(&str, Codec)] = &[
    (".gz", Codec::Gzip),
    (".gzip", Codec::Gzip),
    (".deflate", Codec::Deflate),
    (".zst", Codec::Zstd),
    (".zstd", Codec::Zstd),
    (".bz2", Codec::Bzip2),
    (".snappy", Codec::Snappy),
    (".sz", Codec::Snappy),
    (".lz4", Codec::Lz4),
];

/// The name without the end that names a codec; `name` in lower case.
pub(in crate::format) fn strip_extension(name: &str) -> &str {
    EXTENSIONS.iter().find_map(|(end, _)| name.strip_suffix(end)).unwrap_or(name)
}

impl Codec {
    /// The codec of a file's name.
    pub(in crate::format) fn of(path: &Path) -> Self {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("").to_lowercase();
        EXTENSIONS.iter().find(|(end, _)| name.ends_with(end)).map_or(Self::None, |(_, codec)| *codec)
    }

    /// The bytes of a file, decompressed.
    pub(super) fn open(self, file: &DataFile) -> Result<Box<dyn Read + Send>> {
        let bytes = BufReader::with_capacity(READ_BYTES, Patient(file.file()?));
        Ok(match self {
            Self::None => Box::new(bytes),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
            Self::Deflate => Box::new(flate2::bufread::ZlibDecoder::new(bytes)),
            Self::Zstd => {
                Box::new(zstd::stream::read::Decoder::with_buffer(bytes).map_err(|error| Error::io("read", &file.path, error))?)
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(bytes)),
            Self::Snappy => snappy(bytes).map_err(|error| Error::io("read", &file.path, error))?,
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(bytes)),
        })
    }
}

/// Snappy's own frames begin with their name; anything else is taken for the blocks of Hadoop.
fn snappy(mut bytes: BufReader<Patient>) -> io::Result<Box<dyn Read + Send>> {
    let start = std::io::BufRead::fill_buf(&mut bytes)?;
    if start.starts_with(b"\xff\x06\x00\x00sNaPpY") {
        return Ok(Box::new(snap::read::FrameDecoder::new(bytes)));
    }
    Ok(Box::new(HadoopSnappy { bytes, block: Vec::new(), at: 0, left: 0 }))
}

/// Blocks of Hadoop's SnappyCodec: the length of a block's bytes, then chunks of raw Snappy, each
/// behind its own length, until the block is full. Lengths are 32 bits, big-endian.
struct HadoopSnappy<R> {
    bytes: R,
    /// A chunk, decompressed, and how much of it was given out.
    block: Vec<u8>,
    at: usize,
    /// Bytes of the block that are still to come.
    left: usize,
}

fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

impl<R: Read> HadoopSnappy<R> {
    /// A length; none at the end of the file.
    fn length(&mut self) -> io::Result<Option<usize>> {
        let mut length = [0; 4];
        let mut have = 0;
        while have < 4 {
            match self.bytes.read(&mut length[have..])? {
                0 if have == 0 => return Ok(None),
                0 => return Err(damaged("the Snappy block is cut off")),
                more => have += more,
            }
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > SNAPPY_BLOCK_MAX { Err(damaged("the Snappy block is too long to be one")) } else { Ok(Some(length)) }
    }
}

impl<R: Read> Read for HadoopSnappy<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if self.left == 0 {
                let Some(length) = self.length()? else { return Ok(0) };
                self.left = length;
                continue;
            }
            let length = self.length()?.ok_or_else(|| damaged("the Snappy block is cut off"))?;
            let mut chunk = vec![0; length];
            self.bytes.read_exact(&mut chunk)?;
            let size = snap::raw::decompress_len(&chunk).map_err(|error| damaged(error.to_string()))?;
            if size > self.left {
                return Err(damaged("a Snappy chunk is longer than its block"));
            }
            self.block = snap::raw::Decoder::new().decompress_vec(&chunk).map_err(|error| damaged(error.to_string()))?;
            self.left -= self.block.len();
            self.at = 0;
        }
        let more = out.len().min(self.block.len() - self.at);
        out[..more].copy_from_slice(&self.block[self.at..self.at + more]);
        self.at += more;
        Ok(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn hadoop(text: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        for block in text.chunks(1000) {
            file.extend((block.len() as u32).to_be_bytes());
            for chunk in block.chunks(300) {
                let chunk = snap::raw::Encoder::new().compress_vec(chunk).unwrap();
                file.extend((chunk.len() as u32).to_be_bytes());
                file.extend(chunk);
            }
        }
        file
    }

    #[test]
    fn every_codec_gives_the_bytes_back() {
        let text: Vec<u8> = (0..5000u32).flat_map(|n| format!("{n},abc\n").into_bytes()).collect();
        let directory = tempfile::tempdir().unwrap();
        let mut gzip = Vec::new();
        // Two members, one after the other.
        for half in [&text[..100], &text[100..]] {
            let mut one = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            one.write_all(half).unwrap();
            gzip.extend(one.finish().unwrap());
        }
        let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        deflate.write_all(&text).unwrap();
        let mut frames = snap::write::FrameEncoder::new(Vec::new());
        frames.write_all(&text).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(&text).unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&text).unwrap();
        let files = [
            ("a.csv", text.clone()),
            ("a.csv.gz", gzip),
            ("a.csv.deflate", deflate.finish().unwrap()),
            ("a.csv.zst", zstd::encode_all(&text[..], 1).unwrap()),
            ("a.csv.bz2", bzip2.finish().unwrap()),
            ("a.csv.sz", frames.into_inner().unwrap()),
            ("a.csv.snappy", hadoop(&text)),
            ("a.csv.lz4", lz4.finish().unwrap()),
        ];
        for (name, bytes) in files {
            let path = directory.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let file = DataFile::open(path).unwrap();
            let mut read = Vec::new();
            Codec::of(&file.path).open(&file).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == text, "{name}");
            assert_eq!(strip_extension(name), "a.csv");
        }
    }

    #[test]
    fn cut_off_blocks_are_errors() {
        let whole = hadoop(&[7; 2500]);
        let mut read = Vec::new();
        for end in [2, 6, 40, whole.len() - 1] {
            let cut = HadoopSnappy { bytes: &whole[..end], block: Vec::new(), at: 0, left: 0 }.read_to_end(&mut read);
            assert!(cut.is_err(), "{end}");
        }
    }
}
