//! Where the pages of a row group lie and what bounds their values, as files may tell at their end.

use super::damaged;
use super::file_schema::FileColumn;
use super::footer::Footer;
use super::pages::{chunk_range, locations_hold};
use super::writer::bounds_ordered;
use super::zones::Zones;
use crate::error::{Error, Result};
use ::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use ::parquet::file::metadata::{FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use ::parquet::file::page_index::column_index::ColumnIndexMetaData;
use ::parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};
use std::fs::File;
use std::path::Path;

/// The page index of one row group.
#[derive(Debug)]
pub(super) struct PageIndex {
    columns: Vec<Vec<ColumnIndexMetaData>>,
    offsets: Vec<Vec<OffsetIndexMetaData>>,
    /// Per leaf: whether its page places were found sound.
    sound: Vec<bool>,
}

/// Bounds of a column in the pages of a row group.
#[derive(Debug)]
pub struct PageZones {
    /// The first row of every page, and the number of rows at the end.
    pub starts: Vec<usize>,
    /// One zone a page.
    pub zones: Zones,
}

impl PageIndex {
    /// Reads it; none where the file has none.
    pub(super) fn read(footer: &Footer, path: &Path, row_group: usize) -> Result<Option<Self>> {
        let group = footer.row_group(row_group);
        if !group.columns().iter().any(|chunk| chunk.offset_index_offset().is_some()) {
            return Ok(None);
        }
        let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
        let alone = || ParquetMetaData::new(footer.metadata.file_metadata().clone(), vec![group.clone()]);
        // Two steps: the two kinds of index lie apart, and the crate reads all that lies between.
        let read = |columns: PageIndexPolicy, offsets: PageIndexPolicy| {
            let mut reader = ParquetMetaDataReader::new_with_metadata(alone())
                .with_column_index_policy(columns)
                .with_offset_index_policy(offsets);
            reader.read_page_indexes(&file).and_then(|()| reader.finish()).map_err(damaged)
        };
        // A damaged index is no reason to fail: the pages themselves tell all that matters.
        let Ok(offsets) = read(PageIndexPolicy::Skip, PageIndexPolicy::Optional) else { return Ok(None) };
        let Some(offsets) = offsets.offset_index().filter(|offsets| offsets.len() == 1).cloned() else { return Ok(None) };
        let columns = read(PageIndexPolicy::Optional, PageIndexPolicy::Skip).ok();
        let columns = columns.and_then(|columns| columns.column_index().cloned()).unwrap_or_default();
        let rows = footer.rows(row_group);
        let sound = group.columns().iter().enumerate().map(|(leaf, chunk)| {
            let range = chunk_range(chunk);
            let places = offsets[0].get(leaf).map(OffsetIndexMetaData::page_locations);
            places.is_some_and(|places| locations_hold(places, range.start, range.end, rows))
        });
        let sound = sound.collect();
        Ok(Some(Self { columns, offsets, sound }))
    }

    /// Bytes it takes in memory, roughly: a place, two bounds and two counts a page.
    pub(super) fn memory_size(&self) -> usize {
        let pages: usize = self.offsets.iter().flatten().map(|leaf| leaf.page_locations().len()).sum();
        pages * (size_of::<PageLocation>() + 64)
    }

    /// Places of a leaf's pages, when they are known and sound.
    pub(super) fn locations(&self, leaf: usize) -> Option<&[PageLocation]> {
        let sound = self.sound.get(leaf).copied().unwrap_or(false);
        sound.then(|| self.offsets[0][leaf].page_locations().as_slice())
    }

    /// Bounds of the pages of a flat column.
    pub(super) fn zones(&self, column: &FileColumn, file: &FileMetaData, rows: usize) -> Option<PageZones> {
        let leaf = column.leaf.filter(|leaf| bounds_ordered(file, *leaf, false))?;
        let locations = self.locations(leaf)?;
        let index = self.columns.first()?.get(leaf)?;
        if matches!(index, ColumnIndexMetaData::NONE | ColumnIndexMetaData::INT96(_))
            || index.num_pages() != locations.len() as u64
        {
            return None;
        }
        let converter = StatisticsConverter::from_column_index(leaf, &column.field, file.schema_descr()).ok()?;
        let mins = converter.data_page_mins(&self.columns, &self.offsets, [&0]).ok()?;
        let maxs = converter.data_page_maxes(&self.columns, &self.offsets, [&0]).ok()?;
        let nulls = (0..locations.len()).map(|page| index.null_counts()?.get(page).and_then(|count| u64::try_from(*count).ok()));
        let zones = Zones::new(mins, maxs, nulls.collect(), column)?;
        let mut starts: Vec<usize> = locations.iter().map(|page| page.first_row_index as usize).collect();
        starts.push(rows);
        Some(PageZones { starts, zones })
    }
}
