//! Decompression of pages, into memory that is not zeroed first.
//!
//! A page header says how many bytes come out. It may lie: no more is allocated beforehand than the
//! codec could make of the bytes that are there, and what comes out must be exactly as long.

use super::growing::Growing;
use super::page_data::PageData;
use super::snappy;
use crate::error::{Error, Result};
use ::bytes::Bytes;
use ::parquet::basic::Compression;
use std::io::{Cursor, Read};

/// A codec whose ratio has no useful bound gets this many times its input beforehand, more only as
/// output arrives. Guessed: real pages of runs reach some hundreds.
const TRUSTED_RATIO: usize = 1000;
/// Most bytes that one byte of Snappy yields: a copy of 64 takes 3 bytes.
const SNAPPY_RATIO_MAX: usize = 22;
/// Most bytes that one byte of LZ4 yields: each byte of a length stands for up to 255.
const LZ4_RATIO_MAX: usize = 256;

/// Smaller pages are decompressed whole. Guessed: that takes some microseconds.
const LAZY_BYTES_MIN: usize = 16 << 10;

/// Decompresses the pages of one column chunk.
pub(super) enum Codec {
    None,
    Snappy,
    /// A block of LZ4.
    Lz4Raw,
    /// Blocks in the framing of Hadoop; early writers put frames or raw blocks there instead.
    Lz4Hadoop,
    Gzip,
    Brotli,
    Zstd(zstd::bulk::Decompressor<'static>),
}

impl Codec {
    pub(super) fn new(compression: Compression) -> Result<Self> {
        Ok(match compression {
            Compression::UNCOMPRESSED => Self::None,
            Compression::SNAPPY => Self::Snappy,
            Compression::LZ4_RAW => Self::Lz4Raw,
            Compression::LZ4 => Self::Lz4Hadoop,
            Compression::GZIP(_) => Self::Gzip,
            Compression::BROTLI(_) => Self::Brotli,
            Compression::ZSTD(_) => Self::Zstd(zstd::bulk::Decompressor::new().map_err(|error| failed("Zstandard", error))?),
            other => return Err(Error::unsupported(format!("compression with {other}"))),
        })
    }

    /// The `length` bytes that `data` holds, of which those are decompressed that are wanted, where
    /// the codec allows it.
    pub(super) fn open(&mut self, data: Bytes, length: usize) -> Result<PageData> {
        if matches!(self, Self::Snappy) && length >= LAZY_BYTES_MIN {
            check_ratio(&data, length, SNAPPY_RATIO_MAX)?;
            if let Ok(page) = Growing::new(data.clone(), length) {
                return Ok(PageData::growing(page));
            }
        }
        self.decompress(data, length).map(PageData::from)
    }

    /// The `length` bytes that `data` holds. Uncompressed data is shared.
    pub(super) fn decompress(&mut self, data: Bytes, length: usize) -> Result<Bytes> {
        if matches!(self, Self::None) {
            return Ok(data);
        }
        // A page of NULLs only has no values, and writers differ on what compressed nothing is.
        if length == 0 {
            return Ok(Bytes::new());
        }
        let out = match self {
            Self::None => Vec::new(),
            Self::Snappy => snappy_block(&data, length)?,
            Self::Lz4Raw => lz4_block(&data, length)?,
            Self::Lz4Hadoop => lz4_hadoop(&data, length)?,
            Self::Gzip => read_all("gzip", flate2::read::MultiGzDecoder::new(&data[..]), &data, length)?,
            Self::Brotli => read_all("Brotli", brotli::Decompressor::new(&data[..], 1 << 14), &data, length)?,
            Self::Zstd(context) => zstd_frames(context, &data, length)?,
        };
        if out.len() != length {
            return Err(wrong_length(out.len(), length));
        }
        Ok(Bytes::from(out))
    }
}

fn failed(codec: &str, error: impl std::fmt::Display) -> Error {
    Error::data(format!("a page cannot be decompressed: {codec}: {error}"))
}

fn wrong_length(found: usize, promised: usize) -> Error {
    Error::data(format!("a page decompresses to {found} bytes instead of {promised}"))
}

/// Refuses a page that promises more than its codec could make of it.
fn check_ratio(data: &[u8], length: usize, ratio: usize) -> Result<()> {
    if length / ratio > data.len() {
        return Err(Error::data(format!("a page promises {length} bytes out of {} compressed ones", data.len())));
    }
    Ok(())
}

/// The `length` bytes of a block of Snappy.
pub(super) fn snappy_block(data: &[u8], length: usize) -> Result<Vec<u8>> {
    check_ratio(data, length, SNAPPY_RATIO_MAX)?;
    let mut out = Vec::new();
    if snappy::decompress(data, length, &mut out).is_ok() {
        return Ok(out);
    }
    // Whatever we find wrong, the crate has the last word, and a better message.
    let promised = snap::raw::decompress_len(data).map_err(|error| failed("Snappy", error))?;
    if promised != length {
        return Err(wrong_length(promised, length));
    }
    snap::raw::Decoder::new().decompress_vec(data).map_err(|error| failed("Snappy", error))
}

fn lz4_block(data: &[u8], length: usize) -> Result<Vec<u8>> {
    check_ratio(data, length, LZ4_RATIO_MAX)?;
    let mut out = vec![0; length];
    let found = lz4_flex::block::decompress_into(data, &mut out).map_err(|error| failed("LZ4", error))?;
    out.truncate(found);
    Ok(out)
}

fn lz4_hadoop(data: &[u8], length: usize) -> Result<Vec<u8>> {
    if let Some(out) = hadoop_blocks(data, length) {
        return Ok(out);
    }
    match read_all("LZ4", lz4_flex::frame::FrameDecoder::new(data), data, length) {
        Ok(out) if out.len() == length => Ok(out),
        _ => lz4_block(data, length),
    }
}

/// Blocks of `output bytes, input bytes` (big-endian) and so many bytes of LZ4; none if it is
/// anything else.
fn hadoop_blocks(mut data: &[u8], length: usize) -> Option<Vec<u8>> {
    check_ratio(data, length, LZ4_RATIO_MAX).ok()?;
    let mut out = vec![0; length];
    let mut done = 0;
    while !data.is_empty() {
        let (header, rest) = data.split_first_chunk::<8>()?;
        let (bytes_out, bytes_in) = header.split_at(4);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number: usize, byte| number << 8 | usize::from(*byte));
        let (block, rest) = rest.split_at_checked(number(bytes_in))?;
        let end = done + number(bytes_out);
        let found = lz4_flex::block::decompress_into(block, out.get_mut(done..end)?).ok()?;
        if done + found != end {
            return None;
        }
        (done, data) = (end, rest);
    }
    (done == length).then_some(out)
}

fn zstd_frames(context: &mut zstd::bulk::Decompressor<'static>, data: &[u8], length: usize) -> Result<Vec<u8>> {
    if length / TRUSTED_RATIO > data.len() {
        let decoder = zstd::stream::read::Decoder::with_buffer(data).map_err(|error| failed("Zstandard", error))?;
        return read_all("Zstandard", decoder, data, length);
    }
    let mut out = Cursor::new(Vec::with_capacity(length));
    context.decompress_to_buffer(data, &mut out).map_err(|error| failed("Zstandard", error))?;
    Ok(out.into_inner())
}

/// What `decoder` gives, but at most one byte more than `length`.
fn read_all(codec: &str, decoder: impl Read, data: &[u8], length: usize) -> Result<Vec<u8>> {
    // One byte more lets the end be seen without growing.
    let mut out = Vec::with_capacity(length.min(data.len().saturating_mul(TRUSTED_RATIO)) + 1);
    decoder.take(length as u64 + 1).read_to_end(&mut out).map_err(|error| failed(codec, error))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_lie_are_errors() {
        let text = b"some text, some text, some text, and some more of the text".repeat(50);
        let block = Bytes::from(snap::raw::Encoder::new().compress_vec(&text).unwrap());
        let lz4 = Bytes::from(lz4_flex::block::compress(&text));
        let frames = Bytes::from(zstd::bulk::compress(&text, 1).unwrap());
        let mut hadoop = Vec::new();
        hadoop.extend((text.len() as u32).to_be_bytes());
        hadoop.extend((lz4.len() as u32).to_be_bytes());
        hadoop.extend(&lz4);
        let codecs = [
            (Compression::SNAPPY, block),
            (Compression::LZ4_RAW, lz4.clone()),
            (Compression::LZ4, lz4),
            (Compression::LZ4, hadoop.into()),
            (Compression::ZSTD(Default::default()), frames),
        ];
        for (compression, data) in codecs {
            let mut codec = Codec::new(compression).unwrap();
            assert_eq!(codec.decompress(data.clone(), text.len()).unwrap(), text, "{compression}");
            for length in [1, text.len() - 1, text.len() + 1, 1 << 20, i32::MAX as usize] {
                let error = codec.decompress(data.clone(), length).unwrap_err();
                assert_eq!(error.kind(), crate::error::ErrorKind::Data, "{compression} {length}: {error}");
            }
            let cut = data.slice(..data.len() / 2);
            assert!(codec.decompress(cut, text.len()).is_err(), "{compression}");
        }
    }
}
