//! How values of each SQL type are held: a pure function of the type.
//!
//! Decimals of up to 18 digits are 64-bit integers inside; strings and binaries are views;
//! timestamps count microseconds. The plan and the outside see the SQL type only.

use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, PrimitiveArray};
use arrow::compute;
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// Decimals of at most this many digits fit an `i64`.
const NARROW_DIGITS: u8 = 18;

/// Whether a decimal of this SQL type is held in 64 bits everywhere.
pub fn is_narrow_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(precision, _) if *precision <= NARROW_DIGITS)
        || matches!(data_type, DataType::Decimal64(..) | DataType::Decimal32(..))
}

/// The type in which breakers (hash tables, sort runs, spill files) keep values of `plan_type`.
pub fn storage_type(plan_type: &DataType) -> DataType {
    match plan_type {
        DataType::Decimal128(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal32(precision, scale)
            if *precision <= NARROW_DIGITS =>
        {
            DataType::Decimal64(*precision, *scale)
        }
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Dictionary(_, values) => storage_type(values),
        other => other.clone(),
    }
}

/// A field with its type turned into the storage type.
pub fn storage_field(field: &Field) -> FieldRef {
    Arc::new(field.clone().with_data_type(storage_type(field.data_type())))
}

/// A schema with every type turned into its storage type.
pub fn storage_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(|field| storage_field(field)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Converts an array of a SQL type to the type it is stored in.
pub fn to_storage_type(array: &ArrayRef) -> Result<ArrayRef> {
    let wanted = storage_type(array.data_type());
    if *array.data_type() == wanted {
        return Ok(array.clone());
    }
    if let (DataType::Decimal128(..), DataType::Decimal64(..)) = (array.data_type(), &wanted) {
        // Values of at most 18 digits: cutting off the upper half loses nothing.
        let narrow: PrimitiveArray<Decimal64Type> = array.as_primitive::<Decimal128Type>().unary(|value| value as i64);
        return Ok(Arc::new(narrow.with_data_type(wanted)));
    }
    Ok(compute::cast(array, &wanted)?)
}

/// Converts an array from the chunk's form of it to exactly the SQL type `plan_type`.
pub fn to_plan_type(array: &ArrayRef, plan_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == plan_type {
        return Ok(array.clone());
    }
    widen(array, plan_type)
}

/// Brings a value held narrow (or in another Arrow type of the same SQL type) to `wanted`.
pub(super) fn widen(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    match (array.data_type(), wanted) {
        (DataType::Decimal64(_, from), DataType::Decimal128(_, to)) if from == to => {
            let wide: Decimal128Array = array.as_primitive::<Decimal64Type>().unary(i128::from);
            Ok(Arc::new(wide.with_data_type(wanted.clone())))
        }
        (DataType::Decimal64(_, from), DataType::Decimal64(_, to)) if from == to => {
            Ok(Arc::new(array.as_primitive::<Decimal64Type>().clone().with_data_type(wanted.clone())))
        }
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) if from == to => {
            Ok(Arc::new(array.as_primitive::<Decimal128Type>().clone().with_data_type(wanted.clone())))
        }
        (DataType::Decimal128(_, from), DataType::Decimal64(_, to)) if from == to => {
            let narrow: PrimitiveArray<Decimal64Type> = array.as_primitive::<Decimal128Type>().try_unary(|value| {
                i64::try_from(value).map_err(|_| Error::internal(format!("decimal {value} does not fit 64 bits")))
            })?;
            Ok(Arc::new(narrow.with_data_type(wanted.clone())))
        }
        _ => Ok(compute::cast(array, wanted)?),
    }
}
