//! Rows as batches of Arrow, for formats whose writers take such: Avro and Arrow IPC.
//!
//! Rows are gathered into batches of a size that compresses well; a batch is encoded when it is appended
//! to its file. Types are those that all readers of the formats know: strings and bytes with plain
//! offsets, decimals of 128 bits. Avro has no names but of letters, digits and `_`, and no maps but of
//! strings: others are refused.

use super::encode::{Block, Bytes, Encoder, Encoding, FormatFile};
use super::options::OutputOptions;
use crate::column::Chunk;
use crate::error::{Error, Result};
use crate::format::parquet::Compression;
use crate::format::style::OutputStyle;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter as IpcFile, IpcWriteOptions};
use arrow_avro::compression::CompressionCodec;
use arrow_avro::writer::format::AvroOcfFormat;
use arrow_avro::writer::{Writer as AvroFile, WriterBuilder};
use std::io::BufWriter;
use std::sync::Arc;

/// Rows of a batch. Guessed: a task of a reader takes a batch, or some blocks, at a time.
const BATCH_ROWS: usize = 64 << 10;
/// Bytes of a batch, about. Guessed.
const BATCH_BYTES: usize = 8 << 20;

/// How rows of one schema become batches.
#[derive(Debug)]
pub(super) struct BatchEncoding {
    /// SQL types.
    rows: SchemaRef,
    /// Types in files.
    file: SchemaRef,
    codec: Codec,
}

#[derive(Debug, Clone, Copy)]
enum Codec {
    Avro(Option<CompressionCodec>),
    Arrow(Option<CompressionType>),
}

impl BatchEncoding {
    pub(super) fn new(schema: &Schema, options: &OutputOptions) -> Result<Self> {
        let is_avro = options.style == OutputStyle::Avro;
        let codec = match (is_avro, options.compression) {
            (true, Compression::None) => Codec::Avro(None),
            (true, Compression::Snappy) => Codec::Avro(Some(CompressionCodec::Snappy)),
            (true, Compression::Gzip(None)) => Codec::Avro(Some(CompressionCodec::Deflate)),
            (true, Compression::Zstd(None)) => Codec::Avro(Some(CompressionCodec::ZStandard)),
            (false, Compression::None) => Codec::Arrow(None),
            (false, Compression::Lz4) => Codec::Arrow(Some(CompressionType::LZ4_FRAME)),
            (false, Compression::Zstd(None)) => Codec::Arrow(Some(CompressionType::ZSTD)),
            (true, _) => return Err(no_codec("avro", "none, snappy, deflate or zstd, without levels")),
            (false, _) => return Err(no_codec("arrow", "none, lz4 or zstd, without levels")),
        };
        let field = |field: &Arc<Field>| {
            let data_type = file_type(field.data_type(), is_avro).map_err(|error| error.in_column(field.name()))?;
            check_name(field.name(), is_avro)?;
            Ok(Field::new(field.name(), data_type, true))
        };
        let fields = schema.fields().iter().map(field).collect::<Result<Vec<_>>>()?;
        Ok(Self { rows: Arc::new(schema.clone()), file: Arc::new(Schema::new(fields)), codec })
    }
}

fn no_codec(format: &str, takes: &str) -> Error {
    Error::unsupported(format!("this codec for {}", format.to_uppercase())).with_hint(format!("it takes {takes}"))
}

fn check_name(name: &str, is_avro: bool) -> Result<()> {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain || !is_avro {
        return Ok(());
    }
    let error = Error::unsupported(format!("the name '{}' in Avro", name.escape_default()));
    Err(error.with_hint("Avro's names are of letters, digits and _"))
}

/// The type in files of a SQL type.
fn file_type(data_type: &DataType, is_avro: bool) -> Result<DataType> {
    let inner = |field: &Arc<Field>| {
        Ok::<_, Error>(Arc::new(field.as_ref().clone().with_data_type(file_type(field.data_type(), is_avro)?)))
    };
    Ok(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => DataType::Decimal128(*precision, *scale),
        // Avro has none smaller, and none without a sign.
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 if is_avro => DataType::Int32,
        DataType::UInt32 if is_avro => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::List(item) | DataType::LargeList(item) => DataType::List(inner(item)?),
        DataType::Struct(fields) => {
            fields.iter().try_for_each(|field| check_name(field.name(), is_avro))?;
            DataType::Struct(fields.iter().map(inner).collect::<Result<Vec<_>>>()?.into())
        }
        DataType::Map(entries, sorted) => {
            let entries = inner(entries)?;
            let key = match entries.data_type() {
                DataType::Struct(fields) => fields.first().map(|key| key.data_type().clone()),
                _ => None,
            };
            if is_avro && key != Some(DataType::Utf8) {
                return Err(Error::unsupported("a map in Avro whose keys are no strings"));
            }
            DataType::Map(entries, *sorted)
        }
        DataType::Null => return Err(Error::unsupported("a column of type VOID")),
        other => other.clone(),
    })
}

impl Encoding for BatchEncoding {
    fn encoder(&self) -> Result<Box<dyn Encoder>> {
        let (rows, file) = (self.rows.clone(), self.file.clone());
        Ok(Box::new(Gathered { rows, file, batches: Vec::new(), held: 0, bytes: 0 }))
    }

    fn begin(&self, file: Bytes) -> Result<Box<dyn FormatFile>> {
        Ok(match self.codec {
            Codec::Avro(codec) => {
                let builder = WriterBuilder::new(self.file.as_ref().clone()).with_compression(codec);
                Box::new(AvroBlocks(
                    builder.build::<_, AvroOcfFormat>(BufWriter::with_capacity(BUFFER_BYTES, file)).map_err(refused)?,
                ))
            }
            Codec::Arrow(codec) => {
                let options = IpcWriteOptions::default().try_with_compression(codec).map_err(refused)?;
                Box::new(IpcBatches(
                    IpcFile::try_new_with_options(BufWriter::with_capacity(BUFFER_BYTES, file), &self.file, options)
                        .map_err(refused)?,
                ))
            }
        })
    }
}

/// Rows on their way into a batch.
struct Gathered {
    rows: SchemaRef,
    file: SchemaRef,
    batches: Vec<RecordBatch>,
    held: usize,
    bytes: usize,
}

impl Encoder for Gathered {
    fn push(&mut self, chunk: &Chunk, done: &mut dyn FnMut(Block) -> Result<()>) -> Result<()> {
        let batch = chunk.to_batch(&self.rows)?;
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let columns = batch.columns().iter().zip(self.file.fields()).map(|(column, field)| match field.data_type() {
            wanted if wanted == column.data_type() => Ok(column.clone()),
            wanted => cast_with_options(column, wanted, &strict),
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
        let batch = RecordBatch::try_new(self.file.clone(), columns)?;
        self.held += batch.num_rows();
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.held < BATCH_ROWS && self.bytes < BATCH_BYTES {
            return Ok(());
        }
        self.finish()?.map_or(Ok(()), done)
    }

    fn memory_bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<Option<Block>> {
        let batches = std::mem::take(&mut self.batches);
        (self.held, self.bytes) = (0, 0);
        if batches.is_empty() {
            return Ok(None);
        }
        Ok(Some(Block::Batch(concat_batches(&self.file, &batches)?)))
    }
}

/// Bytes gathered before they go to a file: the crates write field by field. Guessed.
const BUFFER_BYTES: usize = 256 << 10;

struct AvroBlocks(AvroFile<BufWriter<Bytes>, AvroOcfFormat>);

struct IpcBatches(IpcFile<BufWriter<Bytes>>);

/// What a borrowed writer says.
fn refused(error: impl Into<ArrowError>) -> Error {
    match error.into() {
        ArrowError::IoError(_, source) => {
            Error::new(crate::ErrorKind::Io, format!("cannot write the file: {source}")).with_source(source)
        }
        other => Error::from(other),
    }
}

fn batch(block: Block) -> Result<RecordBatch> {
    match block {
        Block::Batch(batch) => Ok(batch),
        _ => Err(Error::internal("a block of another format than its file")),
    }
}

impl FormatFile for AvroBlocks {
    fn append(&mut self, block: Block) -> Result<()> {
        self.0.write(&batch(block)?).map_err(refused)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.0.finish().map_err(refused)
    }
}

impl FormatFile for IpcBatches {
    fn append(&mut self, block: Block) -> Result<()> {
        self.0.write(&batch(block)?).map_err(refused)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.0.finish().map_err(refused)
    }
}
