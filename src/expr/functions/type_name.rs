//! `typeof(value)`: the name of a type, as Spark writes it.

use super::super::cast::sql_type;
use super::builtin::{Builtin, mismatch};
use super::strings::kernel;
use arrow::array::StringViewArray;
use arrow::datatypes::{DataType, IntervalUnit};
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// `typeof(value)`.
pub(super) fn type_of() -> Arc<ScalarUDF> {
    Builtin::new(
        "typeof",
        |name, types| if types.len() == 1 { Ok(types.to_vec()) } else { Err(mismatch(name, types)) },
        |_, _| Ok(DataType::Utf8View),
        |types, _, _, _| {
            let name = types.first().map(type_name).unwrap_or_default();
            Ok(kernel(move |_, rows| Ok(Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(&name, rows))))))
        },
        |_| false,
    )
    .into_udf()
}

/// Spark's name of a type: `int`, `decimal(9,2)`, `array<string>`.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "void".to_owned(),
        DataType::Interval(IntervalUnit::YearMonth) => "interval year to month".to_owned(),
        DataType::Duration(_) => "interval day to second".to_owned(),
        DataType::Interval(_) => "interval".to_owned(),
        DataType::Time64(_) => "time(6)".to_owned(),
        DataType::Timestamp(_, None) => "timestamp_ntz".to_owned(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("array<{}>", type_name(item.data_type()))
        }
        DataType::Struct(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|field| format!("{}:{}", field.name(), type_name(field.data_type()))).collect();
            format!("struct<{}>", fields.join(","))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                format!("map<{},{}>", type_name(pair[0].data_type()), type_name(pair[1].data_type()))
            }
            other => format!("map<{}>", type_name(other)),
        },
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => format!("decimal({p},{s})"),
        other => sql_type(other).to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn names_are_those_of_spark() {
        let item = |data_type| Arc::new(Field::new("x", data_type, true));
        let cases = [
            (DataType::Int8, "tinyint"),
            (DataType::Int32, "int"),
            (DataType::Int64, "bigint"),
            (DataType::Utf8View, "string"),
            (DataType::Date32, "date"),
            (DataType::Null, "void"),
            (DataType::Decimal128(9, 2), "decimal(9,2)"),
            (DataType::List(item(DataType::Decimal128(2, 1))), "array<decimal(2,1)>"),
            (DataType::Struct(vec![item(DataType::Float64), item(DataType::Boolean)].into()), "struct<x:double,x:boolean>"),
        ];
        for (data_type, expected) in cases {
            assert_eq!(type_name(&data_type), expected);
        }
    }
}
