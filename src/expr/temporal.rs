//! Parts of dates and timestamps.

use super::kernel::{Arg, Kernel};
use super::parse::{civil_from_days, days_from_civil};
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, AsArray, Int32Array, new_null_array};
use arrow::compute::kernels::temporal::{DatePart as ArrowPart, date_part};
use arrow::datatypes::*;
use std::sync::Arc;

/// A part of a date or of a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    DayOfYear,
    /// Sunday is 1.
    DayOfWeek,
    /// Monday is 1.
    DayOfWeekIso,
    /// Monday is 0.
    Weekday,
    Hour,
    Minute,
    Second,
}

impl Part {
    /// The part that Spark's `extract` and `date_part` call `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" | "y" | "years" | "yr" | "yrs" => Self::Year,
            "quarter" | "qtr" => Self::Quarter,
            "month" | "mon" | "mons" | "months" => Self::Month,
            "week" | "w" | "weeks" => Self::Week,
            "day" | "d" | "days" => Self::Day,
            "doy" => Self::DayOfYear,
            "dayofweek" | "dow" => Self::DayOfWeek,
            "dayofweek_iso" | "dow_iso" | "isodow" => Self::DayOfWeekIso,
            "hour" | "h" | "hours" | "hr" | "hrs" => Self::Hour,
            "minute" | "m" | "min" | "mins" | "minutes" => Self::Minute,
            "second" | "s" | "sec" | "seconds" | "secs" => Self::Second,
            _ => return None,
        })
    }

    /// The part of a number of days since 1970.
    pub fn of_days(self, days: i64) -> i32 {
        let (year, month, day) = civil_from_days(days);
        // 1970-01-01 was a Thursday.
        let monday_based = (days + 3).rem_euclid(7);
        let value = match self {
            Self::Year => year,
            Self::Quarter => (month + 2) / 3,
            Self::Month => month,
            Self::Day => day,
            Self::DayOfYear => days - days_from_civil(year, 1, 1) + 1,
            Self::DayOfWeek => (monday_based + 1) % 7 + 1,
            Self::DayOfWeekIso => monday_based + 1,
            Self::Weekday => monday_based,
            Self::Week => {
                // The week of the year in which this week's Thursday lies.
                let thursday = days - monday_based + 3;
                (thursday - days_from_civil(civil_from_days(thursday).0, 1, 1)) / 7 + 1
            }
            Self::Hour | Self::Minute | Self::Second => 0,
        };
        value as i32
    }
}

/// The kernel: the part of its only argument, or of the last if the name of the part comes first.
#[derive(Debug)]
pub(super) struct DatePart(pub Part);

impl Kernel for DatePart {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let Some(arg) = args.last() else { return Err(Error::internal("a date part of nothing")) };
        if arg.is_null() {
            return Ok(new_null_array(&DataType::Int32, rows));
        }
        let part = self.0;
        let time = matches!(part, Part::Hour | Part::Minute | Part::Second);
        let result: Int32Array = match arg.data_type() {
            DataType::Date32 => arg.array.as_primitive::<Date32Type>().unary(|days| part.of_days(i64::from(days))),
            DataType::Timestamp(TimeUnit::Microsecond, zone) if matches!(zone.as_deref(), None | Some("UTC" | "+00:00")) => {
                let array = arg.array.as_primitive::<TimestampMicrosecondType>();
                if time {
                    let (unit, wrap) = match part {
                        Part::Hour => (3_600_000_000, 24),
                        Part::Minute => (60_000_000, 60),
                        _ => (1_000_000, 60),
                    };
                    array.unary(|micros| micros.div_euclid(unit).rem_euclid(wrap) as i32)
                } else {
                    array.unary(|micros| part.of_days(micros.div_euclid(86_400_000_000)))
                }
            }
            DataType::Timestamp(..) => {
                let arrow_part = match part {
                    Part::Year => ArrowPart::Year,
                    Part::Quarter => ArrowPart::Quarter,
                    Part::Month => ArrowPart::Month,
                    Part::Week => ArrowPart::WeekISO,
                    Part::Day => ArrowPart::Day,
                    Part::DayOfYear => ArrowPart::DayOfYear,
                    Part::DayOfWeek => ArrowPart::DayOfWeekSunday0,
                    Part::DayOfWeekIso | Part::Weekday => ArrowPart::DayOfWeekMonday0,
                    Part::Hour => ArrowPart::Hour,
                    Part::Minute => ArrowPart::Minute,
                    Part::Second => ArrowPart::Second,
                };
                let shift = i32::from(matches!(part, Part::DayOfWeek | Part::DayOfWeekIso));
                let value = date_part(&arg.array, arrow_part)?;
                value.as_primitive::<Int32Type>().unary(|value| value + shift)
            }
            other => return Err(Error::unsupported(format!("a date part of {other}"))),
        };
        Ok(Arc::new(result))
    }
}
