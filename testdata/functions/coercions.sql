-- comparisons of values of two types
any: 1 = 1
any: 1 = 1L
any: 1 = 1.0BD
any: 1 = 1.0D
any: 1 = '1'
any: 1 = true
any: 1 = NULL
later: any: 1 = DATE '2024-01-01'
any: 1 = TIMESTAMP '2024-01-01 00:00:00'
any: 1 = '2024-01-01'
any: 1 = X'31'
any: 1 = array(1)
any: 1 = named_struct('a', 1)
any: 1 = INTERVAL '1' DAY
any: 1L = 1L
any: 1L = 1.0BD
any: 1L = 1.0D
any: 1L = '1'
any: 1L = true
any: 1L = NULL
later: any: 1L = DATE '2024-01-01'
any: 1L = TIMESTAMP '2024-01-01 00:00:00'
any: 1L = '2024-01-01'
any: 1L = X'31'
any: 1L = array(1)
any: 1L = named_struct('a', 1)
any: 1L = INTERVAL '1' DAY
any: 1.0BD = 1.0BD
any: 1.0BD = 1.0D
any: 1.0BD = '1'
any: 1.0BD = true
any: 1.0BD = NULL
any: 1.0BD = DATE '2024-01-01'
any: 1.0BD = TIMESTAMP '2024-01-01 00:00:00'
any: 1.0BD = '2024-01-01'
any: 1.0BD = X'31'
any: 1.0BD = array(1)
any: 1.0BD = named_struct('a', 1)
any: 1.0BD = INTERVAL '1' DAY
any: 1.0D = 1.0D
any: 1.0D = '1'
any: 1.0D = true
any: 1.0D = NULL
any: 1.0D = DATE '2024-01-01'
any: 1.0D = TIMESTAMP '2024-01-01 00:00:00'
any: 1.0D = '2024-01-01'
any: 1.0D = X'31'
any: 1.0D = array(1)
any: 1.0D = named_struct('a', 1)
any: 1.0D = INTERVAL '1' DAY
any: '1' = '1'
later: any: '1' = true
any: '1' = NULL
any: '1' = DATE '2024-01-01'
any: '1' = TIMESTAMP '2024-01-01 00:00:00'
any: '1' = '2024-01-01'
any: '1' = X'31'
any: '1' = array(1)
any: '1' = named_struct('a', 1)
any: '1' = INTERVAL '1' DAY
any: true = true
any: true = NULL
any: true = DATE '2024-01-01'
any: true = TIMESTAMP '2024-01-01 00:00:00'
any: true = '2024-01-01'
any: true = X'31'
any: true = array(1)
any: true = named_struct('a', 1)
any: true = INTERVAL '1' DAY
any: NULL = NULL
any: NULL = DATE '2024-01-01'
any: NULL = TIMESTAMP '2024-01-01 00:00:00'
any: NULL = '2024-01-01'
any: NULL = X'31'
any: NULL = array(1)
any: NULL = named_struct('a', 1)
any: NULL = INTERVAL '1' DAY
any: DATE '2024-01-01' = DATE '2024-01-01'
any: DATE '2024-01-01' = TIMESTAMP '2024-01-01 00:00:00'
any: DATE '2024-01-01' = '2024-01-01'
any: DATE '2024-01-01' = X'31'
any: DATE '2024-01-01' = array(1)
any: DATE '2024-01-01' = named_struct('a', 1)
any: DATE '2024-01-01' = INTERVAL '1' DAY
any: TIMESTAMP '2024-01-01 00:00:00' = TIMESTAMP '2024-01-01 00:00:00'
any: TIMESTAMP '2024-01-01 00:00:00' = '2024-01-01'
any: TIMESTAMP '2024-01-01 00:00:00' = X'31'
any: TIMESTAMP '2024-01-01 00:00:00' = array(1)
any: TIMESTAMP '2024-01-01 00:00:00' = named_struct('a', 1)
any: TIMESTAMP '2024-01-01 00:00:00' = INTERVAL '1' DAY
any: '2024-01-01' = '2024-01-01'
any: '2024-01-01' = X'31'
any: '2024-01-01' = array(1)
any: '2024-01-01' = named_struct('a', 1)
any: '2024-01-01' = INTERVAL '1' DAY
any: X'31' = X'31'
any: X'31' = array(1)
any: X'31' = named_struct('a', 1)
any: X'31' = INTERVAL '1' DAY
any: array(1) = array(1)
any: array(1) = named_struct('a', 1)
any: array(1) = INTERVAL '1' DAY
any: named_struct('a', 1) = named_struct('a', 1)
any: named_struct('a', 1) = INTERVAL '1' DAY
any: INTERVAL '1' DAY = INTERVAL '1' DAY
any: '10' < 9
any: 'a' < 'B'
any: 1 < '1.0'
any: 'abc' < 1
any: true < false
any: true < 1
any: DATE '2024-01-02' < '2024-01-10'
any: NULL < NULL
any: 1.5BD < '1.50'
any: '1e1' < 10.0D
any: CAST('NaN' AS DOUBLE) < 1D
any: -0.0D < 0.0D
any: array(1, NULL) < array(1, 2)
any: TIMESTAMP '2024-01-01 12:00:00' < DATE '2024-01-01'
any: '10' <=> 9
any: 'a' <=> 'B'
any: 1 <=> '1.0'
any: 'abc' <=> 1
any: true <=> false
any: true <=> 1
any: DATE '2024-01-02' <=> '2024-01-10'
any: NULL <=> NULL
any: 1.5BD <=> '1.50'
any: '1e1' <=> 10.0D
any: CAST('NaN' AS DOUBLE) <=> 1D
any: -0.0D <=> 0.0D
any: array(1, NULL) <=> array(1, 2)
any: TIMESTAMP '2024-01-01 12:00:00' <=> DATE '2024-01-01'
any: coalesce(1, '2')
any: typeof(coalesce(1, '2'))
any: coalesce(1, 2.5BD)
any: typeof(coalesce(1, 2.5BD))
any: coalesce(1L, 2.5F)
any: typeof(coalesce(1L, 2.5F))
any: coalesce('a', DATE '2024-01-01')
any: typeof(coalesce('a', DATE '2024-01-01'))
any: coalesce(DATE '2024-01-01', TIMESTAMP '2024-01-01 01:00:00')
any: typeof(coalesce(DATE '2024-01-01', TIMESTAMP '2024-01-01 01:00:00'))
any: coalesce(true, 'x')
any: typeof(coalesce(true, 'x'))
any: coalesce(1, true)
any: typeof(coalesce(1, true))
any: coalesce(NULL, 1)
any: typeof(coalesce(NULL, 1))
any: coalesce('5', 1.5D)
any: typeof(coalesce('5', 1.5D))
any: coalesce(X'41', 'b')
any: typeof(coalesce(X'41', 'b'))
later: any: greatest(1, '2')
later: any: typeof(greatest(1, '2'))
any: greatest(1, 2.5BD)
any: typeof(greatest(1, 2.5BD))
any: greatest(1L, 2.5F)
any: typeof(greatest(1L, 2.5F))
any: greatest('a', DATE '2024-01-01')
later: any: typeof(greatest('a', DATE '2024-01-01'))
any: greatest(DATE '2024-01-01', TIMESTAMP '2024-01-01 01:00:00')
any: typeof(greatest(DATE '2024-01-01', TIMESTAMP '2024-01-01 01:00:00'))
any: greatest(true, 'x')
later: any: typeof(greatest(true, 'x'))
any: greatest(1, true)
any: typeof(greatest(1, true))
any: greatest(NULL, 1)
any: typeof(greatest(NULL, 1))
later: any: greatest('5', 1.5D)
later: any: typeof(greatest('5', 1.5D))
later: any: greatest(X'41', 'b')
later: any: typeof(greatest(X'41', 'b'))
any: array(1, '2')
any: typeof(array(1, '2'))
any: array(1, 2.5BD)
any: typeof(array(1, 2.5BD))
any: array(1L, 2.5F)
any: typeof(array(1L, 2.5F))
any: array('a', DATE '2024-01-01')
any: typeof(array('a', DATE '2024-01-01'))
any: array(DATE '2024-01-01', TIMESTAMP '2024-01-01 01:00:00')
any: typeof(array(DATE '2024-01-01', TIMESTAMP '2024-01-01 01:00:00'))
any: array(true, 'x')
any: typeof(array(true, 'x'))
any: array(1, true)
any: typeof(array(1, true))
any: array(NULL, 1)
any: typeof(array(NULL, 1))
any: array('5', 1.5D)
any: typeof(array('5', 1.5D))
any: array(X'41', 'b')
any: typeof(array(X'41', 'b'))
any: concat(1, '2')
any: typeof(concat(1, '2'))
any: concat(1, 2.5BD)
any: typeof(concat(1, 2.5BD))
any: concat(1L, 2.5F)
any: typeof(concat(1L, 2.5F))
any: concat('a', DATE '2024-01-01')
any: typeof(concat('a', DATE '2024-01-01'))
any: concat(DATE '2024-01-01', TIMESTAMP '2024-01-01 01:00:00')
any: typeof(concat(DATE '2024-01-01', TIMESTAMP '2024-01-01 01:00:00'))
any: concat(true, 'x')
any: typeof(concat(true, 'x'))
any: concat(1, true)
any: typeof(concat(1, true))
any: concat(NULL, 1)
any: typeof(concat(NULL, 1))
any: concat('5', 1.5D)
any: typeof(concat('5', 1.5D))
any: concat(X'41', 'b')
any: typeof(concat(X'41', 'b'))
any: '1' + 2
any: '1.5' + 2
any: 'a' + 2
any: 1 + 2.5D
any: 1Y + 2S
any: 127Y + 1Y
any: 1 + NULL
any: true + 1
later: any: '2' + '3'
any: '1' - 2
any: '1.5' - 2
any: 'a' - 2
any: 1 - 2.5D
any: 1Y - 2S
any: 127Y - 1Y
any: 1 - NULL
any: true - 1
later: any: '2' - '3'
any: '1' * 2
any: '1.5' * 2
any: 'a' * 2
any: 1 * 2.5D
any: 1Y * 2S
any: 127Y * 1Y
any: 1 * NULL
any: true * 1
later: any: '2' * '3'
any: '1' / 2
later: any: '1.5' / 2
any: 'a' / 2
any: 1 / 2.5D
any: 1Y / 2S
any: 127Y / 1Y
any: 1 / NULL
any: true / 1
later: any: '2' / '3'
any: '1' % 2
any: '1.5' % 2
any: 'a' % 2
any: 1 % 2.5D
any: 1Y % 2S
any: 127Y % 1Y
any: 1 % NULL
any: true % 1
later: any: '2' % '3'
