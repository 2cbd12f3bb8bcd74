//! From the plan's expressions to compiled ones.

use super::arithmetic::{Arithmetic, Bits, Concat, Negate, Op};
use super::case::Case;
use super::cast::{Cast, cast_array, is_fallible};
use super::compare::{Cmp, Compare, Distinct};
use super::decimal::{can_overflow, integer_shape, shape_of};
use super::dictionary::per_dictionary;
use super::evaluator::{Evaluator, is_infallible};
use super::functions::Builtin;
use super::functions::lambdas::kind_of;
use super::in_list::InList;
use super::kernel::{Apply, Kernel};
use super::lambda::Higher;
use super::leaf::{ColumnExpr, ConstExpr, SlotExpr, column, storage_value};
use super::like::{Like, Matcher, RegexMatch, regex};
use super::logic::{Is, Logic, Not, Truth};
use super::slot::ScalarSlot;
use super::temporal::{DatePart, Part};
use super::text::text;
use super::vector::ExprRef;
use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use arrow::array::new_null_array;
use arrow::datatypes::{DataType, Field};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{HigherOrderFunction, ScalarFunction};
use datafusion_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, Operator, ReturnFieldArgs, Subquery, Volatility};
use std::collections::HashMap;
use std::sync::Arc;

/// Where the values of uncorrelated scalar subqueries will be found.
#[derive(Debug, Clone, Default)]
pub struct Slots(HashMap<usize, Arc<ScalarSlot>>);

impl Slots {
    /// Says where the value of `subquery` will be.
    pub fn insert(&mut self, subquery: &Subquery, slot: Arc<ScalarSlot>) {
        self.0.insert(Self::key(subquery), slot);
    }

    /// Where the value of `subquery` will be.
    pub fn get(&self, subquery: &Subquery) -> Option<&Arc<ScalarSlot>> {
        self.0.get(&Self::key(subquery))
    }

    fn key(subquery: &Subquery) -> usize {
        Arc::as_ptr(&subquery.subquery).cast::<()>() as usize
    }
}

/// Compiles an expression over chunks whose columns are those of `input`.
pub fn compile(expr: &Expr, input: &DFSchema, slots: &Slots) -> Result<ExprRef> {
    Compiler { input, slots, variables: &[] }.compile(expr)
}

struct Compiler<'a> {
    input: &'a DFSchema,
    slots: &'a Slots,
    /// Parameters of the functions around, which stand behind the input's columns, innermost last.
    variables: &'a [(String, DataType)],
}

impl Compiler<'_> {
    fn compile(&self, expr: &Expr) -> Result<ExprRef> {
        Ok(match expr {
            Expr::Alias(alias) => self.compile(&alias.expr)?,
            Expr::Column(column) => {
                let index = self.input.index_of_column(column)?;
                let field = self.input.field(index);
                let (data_type, nullable) = (field.data_type().clone(), field.is_nullable());
                Arc::new(ColumnExpr { index, data_type, nullable, name: column.name.clone() })
            }
            Expr::Literal(value, _) => Arc::new(ConstExpr::new(value)?),
            Expr::BinaryExpr(binary) => self.binary(expr, binary)?,
            Expr::Not(inner) => self.boolean(expr, Not, vec![self.compile(inner)?], false),
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => self.is(expr, inner, Truth::Null, false)?,
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => self.is(expr, inner, Truth::Null, true)?,
            Expr::IsTrue(inner) => self.is(expr, inner, Truth::True, false)?,
            Expr::IsNotTrue(inner) => self.is(expr, inner, Truth::True, true)?,
            Expr::IsFalse(inner) => self.is(expr, inner, Truth::False, false)?,
            Expr::IsNotFalse(inner) => self.is(expr, inner, Truth::False, true)?,
            Expr::Negative(inner) => {
                let value = self.compile(inner)?;
                let data_type = value.data_type().clone();
                let fallible = data_type.is_integer();
                self.apply(expr, Negate { text: text(expr) }, vec![value], data_type, fallible)
            }
            Expr::Between(between) => {
                let value = self.compile(&between.expr)?;
                let (low, high) = (self.compile(&between.low)?, self.compile(&between.high)?);
                let bounds = vec![
                    self.compare(expr, Operator::GtEq, value.clone(), low)?,
                    self.compare(expr, Operator::LtEq, value, high)?,
                ];
                let both = self.logic(expr, true, bounds);
                if between.negated { self.boolean(expr, Not, vec![both], false) } else { both }
            }
            Expr::Case(case) => self.case(expr, case)?,
            Expr::Cast(cast) => self.cast_to(self.compile(&cast.expr)?, cast.field.data_type(), true, text(expr)),
            Expr::TryCast(cast) => self.cast_to(self.compile(&cast.expr)?, cast.field.data_type(), false, text(expr)),
            Expr::InList(in_list) => self.in_list(expr, in_list)?,
            Expr::Like(like) => self.like(expr, like)?,
            Expr::SimilarTo(_) => return Err(Error::unsupported("SIMILAR TO")),
            Expr::ScalarFunction(call) => self.call(expr, call)?,
            Expr::HigherOrderFunction(call) => self.higher(expr, call)?,
            Expr::LambdaVariable(variable) => {
                let Some(at) = self.variables.iter().rposition(|(name, _)| *name == variable.name) else {
                    return Err(Error::sql(format!("unknown parameter '{}'", variable.name)));
                };
                let index = self.input.fields().len() + at;
                column(index, self.variables[at].1.clone(), true, variable.name.clone())
            }
            Expr::ScalarSubquery(subquery) => match self.slots.get(subquery) {
                Some(slot) => Arc::new(SlotExpr::new(slot.clone())),
                None => return Err(Error::internal("a scalar subquery was not planned")),
            },
            other => return Err(Error::unsupported(format!("{} here ({other})", other.variant_name()))),
        })
    }

    fn nullable(&self, expr: &Expr) -> bool {
        expr.nullable(self.input).unwrap_or(true)
    }

    fn apply(
        &self,
        expr: &Expr,
        kernel: impl Kernel + 'static,
        args: Vec<ExprRef>,
        data_type: DataType,
        fallible: bool,
    ) -> ExprRef {
        let nullable = self.nullable(expr);
        apply(Box::new(kernel), args, data_type, nullable, fallible, text(expr))
    }

    fn boolean(&self, expr: &Expr, kernel: impl Kernel + 'static, args: Vec<ExprRef>, fallible: bool) -> ExprRef {
        self.apply(expr, kernel, args, DataType::Boolean, fallible)
    }

    fn is(&self, expr: &Expr, inner: &Expr, what: Truth, negated: bool) -> Result<ExprRef> {
        Ok(self.boolean(expr, Is { what, negated }, vec![self.compile(inner)?], false))
    }

    fn logic(&self, expr: &Expr, is_and: bool, args: Vec<ExprRef>) -> ExprRef {
        per_dictionary(Arc::new(Logic { is_and, args, nullable: self.nullable(expr), text: text(expr) }))
    }

    fn cast_to(&self, value: ExprRef, to: &DataType, ansi: bool, text: String) -> ExprRef {
        let from = value.data_type().clone();
        if from == *to {
            return value;
        }
        let fallible = ansi && is_fallible(&from, to);
        let nullable = value.is_nullable() || !ansi;
        let kernel = Cast { from, to: to.clone(), ansi };
        apply(Box::new(kernel), vec![value], to.clone(), nullable, fallible, text)
    }

    /// Casts where types differ; the text stays that of the value.
    fn coerced(&self, value: ExprRef, to: &DataType) -> ExprRef {
        let text = value.describe();
        if storage_type(value.data_type()) == storage_type(to) { value } else { self.cast_to(value, to, true, text) }
    }

    fn compare(&self, expr: &Expr, op: Operator, left: ExprRef, right: ExprRef) -> Result<ExprRef> {
        let cmp = match op {
            Operator::NotEq => Cmp::Ne,
            Operator::Lt => Cmp::Lt,
            Operator::LtEq => Cmp::Le,
            Operator::Gt => Cmp::Gt,
            Operator::GtEq => Cmp::Ge,
            _ => Cmp::Eq,
        };
        let (l, r) = (left.data_type().clone(), right.data_type().clone());
        let comparable = storage_type(&l) == storage_type(&r)
            || (shape_of(&l).is_some() && shape_of(&r).is_some())
            || l == DataType::Null
            || r == DataType::Null;
        let args = if comparable {
            vec![left, right]
        } else {
            let (l, r) = BinaryTypeCoercer::new(&l, &op, &r).get_input_types()?;
            vec![self.coerced(left, &l), self.coerced(right, &r)]
        };
        Ok(match op {
            Operator::IsDistinctFrom => self.boolean(expr, Distinct { negated: false }, args, false),
            Operator::IsNotDistinctFrom => self.boolean(expr, Distinct { negated: true }, args, false),
            _ => self.boolean(expr, Compare(cmp), args, false),
        })
    }

    fn binary(&self, expr: &Expr, binary: &BinaryExpr) -> Result<ExprRef> {
        use Operator as O;
        if matches!(binary.op, O::And | O::Or) {
            let mut operands = Vec::new();
            flatten(expr, binary.op, &mut operands);
            let args = operands.into_iter().map(|operand| self.compile(operand)).collect::<Result<Vec<_>>>()?;
            return Ok(self.logic(expr, binary.op == O::And, args));
        }
        let (left, right) = (self.compile(&binary.left)?, self.compile(&binary.right)?);
        match binary.op {
            O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq | O::IsDistinctFrom | O::IsNotDistinctFrom => {
                self.compare(expr, binary.op, left, right)
            }
            O::Plus => self.arithmetic(expr, Op::Add, left, right),
            O::Minus => self.arithmetic(expr, Op::Subtract, left, right),
            O::Multiply => self.arithmetic(expr, Op::Multiply, left, right),
            O::Divide => self.arithmetic(expr, Op::Divide, left, right),
            O::Modulo => self.arithmetic(expr, Op::Remainder, left, right),
            O::IntegerDivide => self.arithmetic(expr, Op::IntDivide, left, right),
            O::StringConcat => Ok(self.apply(expr, Concat, vec![left, right], DataType::Utf8View, false)),
            O::BitwiseAnd => self.bits(expr, Bits::And, left, right),
            O::BitwiseOr => self.bits(expr, Bits::Or, left, right),
            O::BitwiseXor => self.bits(expr, Bits::Xor, left, right),
            O::BitwiseShiftLeft => self.bits(expr, Bits::ShiftLeft, left, right),
            O::BitwiseShiftRight => self.bits(expr, Bits::ShiftRight, left, right),
            O::RegexMatch | O::RegexNotMatch | O::RegexIMatch | O::RegexNotIMatch => {
                let negated = matches!(binary.op, O::RegexNotMatch | O::RegexNotIMatch);
                let ignore_case = matches!(binary.op, O::RegexIMatch | O::RegexNotIMatch);
                let pattern = literal_string(&binary.right);
                let compiled = pattern.map(|pattern| regex(pattern, ignore_case)).transpose()?;
                let fallible = compiled.is_none();
                let args = vec![self.coerced(left, &DataType::Utf8View), self.coerced(right, &DataType::Utf8View)];
                Ok(self.boolean(expr, RegexMatch { negated, ignore_case, regex: compiled }, args, fallible))
            }
            O::LikeMatch | O::NotLikeMatch | O::ILikeMatch | O::NotILikeMatch => self.like(
                expr,
                &datafusion_expr::Like {
                    negated: matches!(binary.op, O::NotLikeMatch | O::NotILikeMatch),
                    expr: binary.left.clone(),
                    pattern: binary.right.clone(),
                    escape_char: None,
                    case_insensitive: matches!(binary.op, O::ILikeMatch | O::NotILikeMatch),
                },
            ),
            other => Err(Error::unsupported(format!("the operator {other}"))),
        }
    }

    fn arithmetic(&self, expr: &Expr, op: Op, left: ExprRef, right: ExprRef) -> Result<ExprRef> {
        let result = expr.get_type(self.input)?;
        let (l, r) = (left.data_type().clone(), right.data_type().clone());
        let decimals = |data_type: &DataType| shape_of(data_type).or_else(|| integer_shape(data_type));
        let (left, right) = if result.is_integer() || result.is_floating() {
            (self.coerced(left, &result), self.coerced(right, &result))
        } else if let (true, Some((p1, s1)), Some((p2, s2))) = (shape_of(&result).is_some(), decimals(&l), decimals(&r)) {
            (self.coerced(left, &DataType::Decimal128(p1, s1)), self.coerced(right, &DataType::Decimal128(p2, s2)))
        } else {
            (left, right)
        };
        let kernel = Arithmetic { op, result: result.clone(), text: text(expr) };
        Ok(self.apply(expr, kernel, vec![left, right], result, true))
    }

    fn bits(&self, expr: &Expr, op: Bits, left: ExprRef, right: ExprRef) -> Result<ExprRef> {
        let result = expr.get_type(self.input)?;
        let args = vec![self.coerced(left, &result), self.coerced(right, &result)];
        Ok(self.apply(expr, op, args, result, false))
    }

    fn case(&self, expr: &Expr, case: &datafusion_expr::Case) -> Result<ExprRef> {
        let data_type = expr.get_type(self.input)?;
        let mut branches = Vec::with_capacity(case.when_then_expr.len());
        let operand = case.expr.as_ref().map(|operand| self.compile(operand)).transpose()?;
        for (when, then) in &case.when_then_expr {
            let mut condition = self.compile(when)?;
            if let Some(operand) = &operand {
                condition = self.compare(expr, Operator::Eq, operand.clone(), condition)?;
            }
            branches.push((condition, self.coerced(self.compile(then)?, &data_type)));
        }
        let otherwise = case.else_expr.as_ref().map(|otherwise| self.compile(otherwise)).transpose()?;
        let otherwise = otherwise.map(|otherwise| self.coerced(otherwise, &data_type));
        Ok(self.case_of(expr, branches, otherwise, data_type))
    }

    fn case_of(
        &self,
        expr: &Expr,
        branches: Vec<(ExprRef, ExprRef)>,
        otherwise: Option<ExprRef>,
        data_type: DataType,
    ) -> ExprRef {
        per_dictionary(Arc::new(Case { branches, otherwise, data_type, nullable: self.nullable(expr), text: text(expr) }))
    }

    fn in_list(&self, expr: &Expr, in_list: &datafusion_expr::expr::InList) -> Result<ExprRef> {
        let value = self.compile(&in_list.expr)?;
        let wanted = value.data_type().clone();
        let mut values = Vec::with_capacity(in_list.list.len());
        for item in &in_list.list {
            let Expr::Literal(item, _) = item else { break };
            let own = item.data_type();
            let array = storage_value(item)?;
            // Decimals are brought to the value's scale only where that loses nothing.
            let same = storage_type(&own) == storage_type(&wanted);
            let exact = shape_of(&own).zip(shape_of(&wanted)).is_some_and(|(own, wanted)| own.1 <= wanted.1);
            values.push(match () {
                () if item.is_null() => new_null_array(&storage_type(&wanted), 1),
                () if same => Column::Flat(array).stored(&wanted)?,
                () if exact => match cast_array(&array, &own, &wanted, true) {
                    Ok(array) => Column::Flat(array).stored(&wanted)?,
                    Err(_) => break,
                },
                () => break,
            });
        }
        if values.len() == in_list.list.len() {
            let kernel = InList::new(&wanted, values, in_list.negated)?;
            return Ok(self.boolean(expr, kernel, vec![value], false));
        }
        let equals = in_list.list.iter().map(|item| self.compare(expr, Operator::Eq, value.clone(), self.compile(item)?));
        let any = self.logic(expr, false, equals.collect::<Result<_>>()?);
        Ok(if in_list.negated { self.boolean(expr, Not, vec![any], false) } else { any })
    }

    fn like(&self, expr: &Expr, like: &datafusion_expr::Like) -> Result<ExprRef> {
        let value = self.coerced(self.compile(&like.expr)?, &DataType::Utf8View);
        let pattern = self.coerced(self.compile(&like.pattern)?, &DataType::Utf8View);
        let matcher = match literal_string(&like.pattern) {
            Some(pattern) if like.case_insensitive => Some(Matcher::new(&pattern.to_lowercase(), like.escape_char)?),
            Some(pattern) => Some(Matcher::new(pattern, like.escape_char)?),
            None => None,
        };
        let fallible = matcher.is_none();
        let kernel = Like { matcher, escape: like.escape_char, negated: like.negated, ignore_case: like.case_insensitive };
        Ok(self.boolean(expr, kernel, vec![value, pattern], fallible))
    }

    fn call(&self, expr: &Expr, call: &ScalarFunction) -> Result<ExprRef> {
        if let ("typeof", [arg]) = (call.name(), call.args.as_slice()) {
            // The value is not asked for, which may fail.
            let name = super::functions::type_name(self.compile(arg)?.data_type());
            return Ok(Arc::new(ConstExpr::new(&ScalarValue::Utf8View(Some(name)))?));
        }
        let args = call.args.iter().map(|arg| self.compile(arg)).collect::<Result<Vec<_>>>()?;
        let is_not_null = |arg: &ExprRef| {
            let kernel = Box::new(Is { what: Truth::Null, negated: true });
            apply(kernel, vec![arg.clone()], DataType::Boolean, false, false, format!("{} IS NOT NULL", arg.describe()))
        };
        let data_type = self.return_field(call, &args)?;
        let to = |arg: &ExprRef| self.coerced(arg.clone(), data_type.data_type());
        match (call.name(), args.as_slice()) {
            ("coalesce" | "nvl" | "ifnull", [first @ .., last]) => {
                let branches = first.iter().map(|arg| (is_not_null(arg), to(arg))).collect();
                return Ok(self.case_of(expr, branches, Some(to(last)), data_type.data_type().clone()));
            }
            ("nvl2", [test, then, otherwise]) => {
                let branches = vec![(is_not_null(test), to(then))];
                return Ok(self.case_of(expr, branches, Some(to(otherwise)), data_type.data_type().clone()));
            }
            ("if", [test, then, otherwise]) => {
                let branches = vec![(test.clone(), to(then))];
                return Ok(self.case_of(expr, branches, Some(to(otherwise)), data_type.data_type().clone()));
            }
            ("nullif", [value, other]) => {
                let same = self.compare(expr, Operator::Eq, value.clone(), other.clone())?;
                let null: ExprRef = Arc::new(ConstExpr::new(&ScalarValue::try_from(data_type.data_type())?)?);
                return Ok(self.case_of(expr, vec![(same, null)], Some(to(value)), data_type.data_type().clone()));
            }
            ("date_part", [_, value]) => {
                let part = call.args.first().and_then(literal_string).and_then(Part::from_name);
                let dated = matches!(value.data_type(), DataType::Date32 | DataType::Timestamp(..));
                if let (Some(part), DataType::Int32, true) = (part, data_type.data_type(), dated) {
                    return Ok(self.apply(expr, DatePart(part), vec![value.clone()], DataType::Int32, false));
                }
            }
            _ => {}
        }
        self.library_call(expr, call, args, data_type)
    }

    /// A call with functions among its arguments.
    fn higher(&self, expr: &Expr, call: &HigherOrderFunction) -> Result<ExprRef> {
        let Some(kind) = kind_of(&call.func) else {
            return Err(Error::unsupported(format!("the function {}", call.func.name())));
        };
        let mut parameters = call.lambda_parameters(self.input)?.into_iter();
        let (mut args, mut bodies) = (Vec::new(), Vec::new());
        for arg in &call.args {
            let Expr::Lambda(lambda) = arg else {
                args.push(self.compile(arg)?);
                continue;
            };
            let types = parameters.next().unwrap_or_default();
            // A name of its own hides the others, and those it does not name are there without one.
            let names = lambda.params.iter().cloned().chain(std::iter::repeat(String::new()));
            let own = names.zip(types).map(|(name, field)| (name, field.data_type().clone()));
            let variables: Vec<(String, DataType)> = self.variables.iter().cloned().chain(own).collect();
            bodies.push(Compiler { variables: &variables, ..*self }.compile(&lambda.body)?);
        }
        Ok(Arc::new(Higher {
            kind,
            args,
            bodies,
            width: self.input.fields().len() + self.variables.len(),
            data_type: expr.get_type(self.input)?,
            text: text(expr),
        }))
    }

    fn library_call(&self, expr: &Expr, call: &ScalarFunction, args: Vec<ExprRef>, field: Arc<Field>) -> Result<ExprRef> {
        let volatility = call.func.signature().volatility;
        let types: Vec<DataType> = args.iter().map(|arg| arg.data_type().clone()).collect();
        let data_type = field.data_type().clone();
        let (kernel, fallible): (Box<dyn Kernel>, bool) = match Builtin::of(&call.func) {
            Some(builtin) => {
                let constants: Vec<Option<ScalarValue>> = call.args.iter().map(literal).collect();
                (builtin.kernel(&types, &constants, &data_type, &text(expr))?, builtin.is_fallible(&types))
            }
            None => {
                let arg_fields = args
                    .iter()
                    .zip(&types)
                    .map(|(arg, data_type)| Arc::new(Field::new(arg.describe(), data_type.clone(), arg.is_nullable())));
                let kernel = Evaluator {
                    function: call.func.clone(),
                    arg_fields: arg_fields.collect(),
                    return_field: field,
                    config: Arc::default(),
                };
                (Box::new(kernel), !is_infallible(call.name()))
            }
        };
        let apply = Apply {
            kernel,
            args,
            data_type,
            nullable: self.nullable(expr),
            fallible,
            volatile: volatility == Volatility::Volatile,
            text: text(expr),
        };
        Ok(if apply.volatile || expr.is_volatile() { Arc::new(apply) } else { per_dictionary(Arc::new(apply)) })
    }

    fn return_field(&self, call: &ScalarFunction, args: &[ExprRef]) -> Result<Arc<Field>> {
        let fields: Vec<Arc<Field>> =
            args.iter().map(|arg| Arc::new(Field::new(arg.describe(), arg.data_type().clone(), arg.is_nullable()))).collect();
        let scalars: Vec<Option<ScalarValue>> = call.args.iter().map(literal).collect();
        let scalars: Vec<Option<&ScalarValue>> = scalars.iter().map(Option::as_ref).collect();
        Ok(call.func.return_field_from_args(ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &scalars })?)
    }
}

fn apply(
    kernel: Box<dyn Kernel>,
    args: Vec<ExprRef>,
    data_type: DataType,
    nullable: bool,
    fallible: bool,
    text: String,
) -> ExprRef {
    per_dictionary(Arc::new(Apply { kernel, args, data_type, nullable, fallible, volatile: false, text }))
}

fn flatten<'a>(expr: &'a Expr, op: Operator, operands: &mut Vec<&'a Expr>) {
    match expr {
        Expr::BinaryExpr(binary) if binary.op == op => {
            flatten(&binary.left, op, operands);
            flatten(&binary.right, op, operands);
        }
        other => operands.push(other),
    }
}

fn literal(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Alias(alias) => literal(&alias.expr),
        _ => None,
    }
}

/// The text of a string literal.
pub(super) fn literal_string(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        Expr::Alias(alias) => literal_string(&alias.expr),
        _ => None,
    }
}

/// Whether arithmetic of these types can fail on a value.
pub(super) fn arithmetic_fallible(op: Op, types: &[DataType]) -> bool {
    match types {
        [l, r] => match (shape_of(l), shape_of(r)) {
            (Some(l), Some(r)) => can_overflow(op, l, r),
            _ => !(l.is_floating() && r.is_floating() && matches!(op, Op::Add | Op::Subtract | Op::Multiply)),
        },
        _ => true,
    }
}
