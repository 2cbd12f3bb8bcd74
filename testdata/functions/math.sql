abs(-1), abs(-1.5), abs(-2.5D), abs(NULL), acos(1.0D), acos(2.0D), acosh(1.0D), acosh(0.0D), asin(0.0D), asinh(0.0D), atan(0.0D), atan2(0.0D, 1.0D), atanh(0.0D), atanh(2.0D)
bin(13), bin(-1), bin(NULL), bin(0), cbrt(27.0D), cbrt(-8), ceil(2.1D), ceil(-0.1), ceil(5), ceiling(3.1411, 3), ceil(3.1411, -1), floor(-0.1), floor(3.1411, 3), floor(3.9D), floor(NULL), ceil(3.1415D, 2)
bround(2.5, 0), bround(3.5), bround(25, -1), bround(2.45D, 1), bround(-2.5), bround(NULL, 0), bround(1.235, 2)
conv('100', 2, 10), conv(-10, 16, -10), conv('ff', 16, 2), conv('zz', 36, 10), conv(NULL, 2, 10), conv('9', 8, 10), conv('-1', 10, 16), conv('', 10, 2), conv('100', 1, 10)
cos(0.0D), cosh(0.0D), cot(1.0D) > 0.64, csc(1.0D) > 1.18, sec(0.0D), sin(0.0D), sinh(0.0D), tan(0.0D), tanh(0.0D), degrees(0.0D), radians(0.0D), e() > 2.718, pi() > 3.14159
7 DIV 2, -7 DIV 2, 7 % 3, -7 % 3, mod(7, 3), pmod(-7, 3), pmod(7, -3), pmod(-7.5, 2), 7 / 2, 1.0 / 3, 5.5 % 2, NULL DIV 2
exp(0), expm1(0.0D), factorial(5), factorial(0), factorial(21), factorial(-1), factorial(NULL), hypot(3, 4), hypot(NULL, 1), ln(1), ln(0), ln(-1), log(10, 100), log(2.718281828459045D) > 0.99, log(0), log(-1, 2), log10(1000), log10(0), log1p(0), log1p(-1), log2(8), log(NULL)
greatest(1, 3, 2), greatest('a', 'b'), greatest(1, NULL, 2), greatest(NULL, NULL), least(1, 3, 2), least(1, NULL), greatest(1, 2.5), least(1.0D, double('NaN')), greatest(1.0D, double('NaN')), greatest(DATE '2020-01-01', DATE '2021-01-01')
negative(5), negative(-1.5), positive(3), -NULL, sign(-5), signum(0), sign(2.5), sign(NULL), sign(-0.5D)
pow(2, 10), power(2, -1), power(NULL, 2), power(0, 0), sqrt(16), sqrt(-1), sqrt(NULL), rint(2.5D), rint(3.5D), rint(12.3456D), rint(NULL)
round(2.5), round(-2.5), round(2.55, 1), round(125, -1), round(1.005D, 2), round(NULL, 1), round(5), round(2.5D), round(-0.5D), round(12.345F, 1), round(99.9)
try_add(1, 2), try_add(2147483647, 1), try_subtract(-2147483648, 1), try_multiply(2147483647, 2), try_divide(1, 0), try_divide(6, 4), try_mod(5, 0), try_mod(5, 3), try_add(NULL, 1)
width_bucket(5.3, 0.2, 10.6, 5), width_bucket(-2.1, 1.3, 3.4, 3), width_bucket(8.1, 0.0, 5.7, 4), width_bucket(-0.9, 5.2, 0.5, 2), width_bucket(NULL, 0, 10, 2), width_bucket(5, 0, 10, 0), width_bucket(10, 0, 10, 5)
nanvl(double('NaN'), 1.5D), nanvl(2.5D, 1.0D), nanvl(NULL, 1.0D), isnan(double('NaN')), isnan(1.0D), isnan(NULL), zeroifnull(NULL), zeroifnull(5), nullifzero(0), nullifzero(3)
typeof(1 + 1L), typeof(ceil(1.5D)), typeof(floor(1.55)), typeof(round(1.555, 1)), typeof(pow(1, 2)), typeof(7 DIV 2), typeof(abs(1Y)), typeof(factorial(3)), typeof(greatest(1, 2L)), typeof(hex(1)), typeof(sign(1)), typeof(bround(2.55, 1)), typeof(width_bucket(1, 2, 3, 4))
rand() BETWEEN 0 AND 1, random() < 1.0, rand(5) >= 0, randn(3) IS NOT NULL, uniform(10, 20) BETWEEN 10 AND 20, uniform(1.0D, 2.0D, 7) >= 1, length(randstr(5)), length(randstr(3, 0))
double('Infinity') > 1, sqrt(double('Infinity')), 0.0D = -0.0D, double('NaN') = double('NaN'), double('NaN') > double('Infinity'), 1e10D, 1.0E-10D, 123456789.0D, 0.1F + 0.2D > 0.3D
error: 1 / 0
error: 1 % 0
error: 1 DIV 0
error: 2147483647 + 1
error: abs(-2147483648)
error: negative(-2147483648)
error: 9223372036854775807L + 1
error: pmod(1, 0)
error: conv('fffffffffffffffff', 16, 10)
error: round(2147483647, -1)
error: ceil(1e20D)
