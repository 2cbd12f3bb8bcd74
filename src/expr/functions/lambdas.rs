//! Functions that take functions (`transform(items, x -> x + 1)`): names and types. They are run by
//! [`super::super::lambda`].

use super::signature::{item_of, list_of, map_of, pair_of};
use crate::error::Error;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDF, HigherOrderUDFImpl,
    LambdaParametersProgress, ValueOrLambda, Volatility,
};
use std::any::Any;
use std::sync::Arc;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `transform(array, x -> ..)`, also `(x, index) -> ..`.
    Transform,
    /// `filter(array, x -> ..)`, also `(x, index) -> ..`.
    Filter,
    /// `exists(array, x -> ..)`.
    Exists,
    /// `forall(array, x -> ..)`.
    ForAll,
    /// `aggregate(array, start, (state, x) -> .., state -> ..)`.
    Aggregate,
    /// `array_sort(array, (left, right) -> ..)`.
    Sort,
    /// `zip_with(left, right, (x, y) -> ..)`.
    ZipWith,
    /// `map_filter(map, (k, v) -> ..)`.
    MapFilter,
    /// `map_zip_with(left, right, (k, v, w) -> ..)`.
    MapZipWith,
    /// `transform_keys(map, (k, v) -> ..)`.
    TransformKeys,
    /// `transform_values(map, (k, v) -> ..)`.
    TransformValues,
}

const TABLE: &[(&str, Kind, &[&str])] = &[
    ("transform", Kind::Transform, &[]),
    ("filter", Kind::Filter, &[]),
    ("exists", Kind::Exists, &[]),
    ("forall", Kind::ForAll, &[]),
    ("aggregate", Kind::Aggregate, &["reduce"]),
    ("array_sort", Kind::Sort, &[]),
    ("zip_with", Kind::ZipWith, &[]),
    ("map_filter", Kind::MapFilter, &[]),
    ("map_zip_with", Kind::MapZipWith, &[]),
    ("transform_keys", Kind::TransformKeys, &[]),
    ("transform_values", Kind::TransformValues, &[]),
];

/// Every function that takes functions.
pub fn higher_order() -> Vec<Arc<HigherOrderUDF>> {
    let each = TABLE.iter().map(|(name, kind, aliases)| {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        let signature = HigherOrderSignature::user_defined(Volatility::Immutable);
        Arc::new(HigherOrderUDF::new_from_impl(Lambdas { name, kind: *kind, aliases, signature }))
    });
    each.collect()
}

/// The kind of a function of this file.
pub(in super::super) fn kind_of(function: &HigherOrderUDF) -> Option<Kind> {
    (function.inner().as_ref() as &dyn Any).downcast_ref::<Lambdas>().map(|found| found.kind)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Lambdas {
    name: &'static str,
    kind: Kind,
    aliases: Vec<String>,
    signature: HigherOrderSignature,
}

fn wrong(name: &str) -> DataFusionError {
    DataFusionError::External(Box::new(Error::sql(format!("the arguments of {name} are not those that it takes"))))
}

impl Lambdas {
    fn wrong(&self) -> DataFusionError {
        wrong(self.name)
    }
}

fn parameter(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("", data_type, true))
}

impl HigherOrderUDFImpl for Lambdas {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let values: Vec<&DataType> = fields
            .iter()
            .filter_map(|field| match field {
                ValueOrLambda::Value(field) => Some(field.data_type()),
                ValueOrLambda::Lambda(_) => None,
            })
            .collect();
        let lambdas = fields.len() - values.len();
        let item = |at: usize| values.get(at).and_then(|list| item_of(list)).ok_or_else(|| self.wrong());
        let pair = |at: usize| values.get(at).and_then(|map| pair_of(map)).ok_or_else(|| self.wrong());
        let parameters = match (self.kind, values.len(), lambdas) {
            (Kind::Transform | Kind::Filter, 1, 1) => vec![vec![item(0)?, DataType::Int32]],
            (Kind::Exists | Kind::ForAll, 1, 1) => vec![vec![item(0)?]],
            (Kind::Sort, 1, 0) => vec![],
            (Kind::Sort, 1, 1) => vec![vec![item(0)?, item(0)?]],
            (Kind::Aggregate, 2, 1) => vec![vec![values[1].clone(), item(0)?]],
            (Kind::Aggregate, 2, 2) => vec![vec![values[1].clone(), item(0)?], vec![values[1].clone()]],
            (Kind::ZipWith, 2, 1) => vec![vec![item(0)?, item(1)?]],
            (Kind::MapFilter | Kind::TransformKeys | Kind::TransformValues, 1, 1) => {
                let (key, value) = pair(0)?;
                vec![vec![key, value]]
            }
            (Kind::MapZipWith, 2, 1) => {
                let ((key, left), (_, right)) = (pair(0)?, pair(1)?);
                vec![vec![key, left, right]]
            }
            _ => return Err(self.wrong()),
        };
        let parameters = parameters.into_iter().map(|types| types.into_iter().map(parameter).collect());
        Ok(LambdaParametersProgress::Complete(parameters.collect()))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        let value = |at: usize| match args.arg_fields.get(at) {
            Some(ValueOrLambda::Value(field)) => Ok(field.data_type().clone()),
            _ => Err(self.wrong()),
        };
        let body = |at: usize| match args.arg_fields.get(at) {
            Some(ValueOrLambda::Lambda(field)) => Ok(field.data_type().clone()),
            _ => Err(self.wrong()),
        };
        let pair = |at: usize| pair_of(&value(at)?).ok_or_else(|| self.wrong());
        let data_type = match self.kind {
            Kind::Transform => list_of(body(1)?),
            Kind::Filter | Kind::Sort | Kind::MapFilter => value(0)?,
            Kind::Exists | Kind::ForAll => DataType::Boolean,
            Kind::Aggregate if args.arg_fields.len() == 4 => body(3)?,
            Kind::Aggregate => value(1)?,
            Kind::ZipWith => list_of(body(2)?),
            Kind::MapZipWith => map_of(pair(0)?.0, body(2)?),
            Kind::TransformKeys => map_of(body(1)?, pair(0)?.1),
            Kind::TransformValues => map_of(pair(0)?.0, body(1)?),
        };
        Ok(Arc::new(Field::new(self.name, data_type, true)))
    }

    fn invoke_with_args(&self, _args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::NotImplemented(format!("{} outside of a compiled expression", self.name)))
    }
}
