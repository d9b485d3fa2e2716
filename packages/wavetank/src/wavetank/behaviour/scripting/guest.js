// What a script finds in its world. Runs once in every fresh runtime, before any script.
// `host` is the only way out: it is kept here, and everything a script is given goes through it.
(function (global, host) {
  'use strict';
  var apply = Reflect.apply, own = Object.getOwnPropertyNames, describe = Object.getOwnPropertyDescriptor;
  var define = Object.defineProperty, above = Object.getPrototypeOf, isArray = Array.isArray;
  var RealDate = Date, RealProxy = Proxy, RealFunction = Function, Text = String, Pattern = RegExp;
  var realEval = global.eval, toPrimitive = Symbol.toPrimitive, isFinite = global.isFinite;
  var setPrototypeOf = Object.setPrototypeOf, remove = Reflect.deleteProperty;
  var elements = new WeakMap(), find = elements.get.bind(elements), keep = elements.set.bind(elements);
  var LONGEST = 1000000, WORK = 200000000;

  function fix(object, name, value) {
    define(object, name, { value: value, writable: true, enumerable: false, configurable: true });
  }

  // -- only what ECMAScript 5 has, and three methods of strings

  function only(object, names) {
    var kept = Object.create(null), all = own(object);
    names.split(' ').forEach(function (name) { kept[name] = true; });
    for (var i = 0; i < all.length; i++) if (kept[all[i]] !== true) delete object[all[i]];
  }
  only(global, 'Object Function Error EvalError RangeError ReferenceError SyntaxError TypeError URIError Array'
    + ' parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent escape'
    + ' unescape Infinity NaN undefined eval Number Boolean String Math Date RegExp JSON');
  only(Array.prototype, 'length constructor concat every filter forEach indexOf join lastIndexOf map pop push'
    + ' reduce reduceRight reverse shift slice some sort splice toString unshift');
  only(Array, 'length name prototype isArray');
  only(Text, 'length name prototype fromCharCode');
  only(Text.prototype, 'length constructor charAt charCodeAt concat indexOf lastIndexOf localeCompare match'
    + ' replace search slice split substr substring toLowerCase toLocaleLowerCase toUpperCase'
    + ' toLocaleUpperCase toString trim valueOf startsWith endsWith includes');
  only(Object, 'length name prototype create defineProperties defineProperty freeze getOwnPropertyDescriptor'
    + ' getOwnPropertyNames getPrototypeOf isExtensible isFrozen isSealed keys preventExtensions seal');

  // -- natives that run long without coming up for air: each call looks at the clock first

  function lengthOf(list) {
    if (isArray(list)) return list.length;
    if (list === null || (typeof list !== 'object' && typeof list !== 'function')) return 0;
    for (var at = list; at !== null; at = above(at)) {
      var found = describe(at, 'length');
      if (found) {
        if (found.get || typeof found.value === 'object') throw new TypeError('length is not a number');
        return +found.value;
      }
    }
    return 0;
  }
  function bounded(list) {
    var length = lengthOf(list);
    if (length > LONGEST) throw new RangeError('Array of ' + length + ' elements is too long here');
    if (length > 64) host('check');
  }
  function wrap(object, name, before) {
    var native = object[name];
    fix(object, name, function () {
      before(this, arguments);
      return apply(native, this, arguments);
    });
  }
  function each(object, names, before) {
    names.split(' ').forEach(function (name) { wrap(object, name, before); });
  }
  each(Array.prototype, 'concat every filter forEach indexOf join lastIndexOf map reduce reduceRight reverse'
    + ' shift slice some sort splice unshift toString', function (list, given) {
    bounded(list);
    for (var i = 0; i < given.length; i++) if (isArray(given[i])) bounded(given[i]);
  });
  wrap(RealFunction.prototype, 'apply', function (_, given) { bounded(given[1]); });
  'concat indexOf lastIndexOf localeCompare match replace search slice split substr substring toLowerCase'
    .concat(' toLocaleLowerCase toUpperCase toLocaleUpperCase trim startsWith endsWith includes').split(' ')
    .forEach(function (name) {
      var native = Text.prototype[name];
      fix(Text.prototype, name, function () {
        if (this === null || this === undefined) return apply(native, this, arguments);
        var text = typeof this === 'string' ? this : Text(this), sought = arguments[0];
        if (text.length > 1000) {
          if (typeof sought === 'object' && sought !== null && !(sought instanceof Pattern)) {
            sought = arguments[0] = Text(sought);
          }
          if (typeof sought === 'string' && sought.length * text.length > WORK) {
            throw new RangeError('Strings are too long here');
          }
          host('check');
        }
        return apply(native, text, arguments);
      });
    });
  function unless_short(_, given) { if (typeof given[0] !== 'string' || given[0].length > 1000) host('check'); }
  each(global, 'decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape parseInt parseFloat',
    unless_short);
  each(JSON, 'parse stringify', unless_short);
  each(Object, 'create defineProperties freeze getOwnPropertyNames isFrozen isSealed keys seal', unless_short);

  // -- nothing makes code behind the host's back

  function made(_, given) {
    host('check');
    for (var i = 0; i < given.length; i++) host('source', Text(given[i]));
  }
  var Compile = function Function() {
    var given = [];
    for (var i = 0; i < arguments.length; i++) given[i] = Text(arguments[i]);
    made(null, given);
    return apply(RealFunction, null, given);
  };
  define(Compile, 'prototype', { value: RealFunction.prototype });
  fix(RealFunction.prototype, 'constructor', Compile);
  [function* () {}, async function () {}, async function* () {}].forEach(function (kind) {
    define(above(kind), 'constructor', { value: Compile, configurable: false, writable: false });
  });
  fix(global, 'Function', Compile);
  fix(global, 'eval', function (source) {
    if (typeof source !== 'string') return source;
    made(null, [source]);
    return realEval(source);
  });

  // -- the instance's clock; local time is UTC

  function Moment(year, month) {
    var given = arguments, moment;
    if (!new.target) return new Moment().toString();
    if (given.length === 0) moment = new RealDate(host('now'));
    else if (given.length > 1) moment = new RealDate(apply(RealDate.UTC, null, given));
    else if (year instanceof RealDate) moment = new RealDate(year.getTime());
    else if (typeof year === 'string') moment = new RealDate(read(year));
    else moment = new RealDate(year);
    return moment;
  }
  function read(text) {
    var found = new RealDate(text), zoned = /(Z|GMT|UTC|[+-]\d\d:?\d\d)\s*$/i.test(text);
    if (zoned || /^\d{4}(-\d\d){0,2}$/.test(text)) return found.getTime();
    return found.getTime() - apply(oldOffset, found, []) * 60000;
  }
  var oldOffset = RealDate.prototype.getTimezoneOffset;
  'FullYear Month Date Day Hours Minutes Seconds Milliseconds'.split(' ').forEach(function (part) {
    fix(RealDate.prototype, 'get' + part, RealDate.prototype['getUTC' + part]);
    if (part !== 'Day') fix(RealDate.prototype, 'set' + part, RealDate.prototype['setUTC' + part]);
  });
  fix(RealDate.prototype, 'getTimezoneOffset', function () { return 0; });
  function stamped(from, to) {
    return function () {
      var text = this.toUTCString();  // Sun, 01 Mar 2026 00:00:00 GMT
      if (text.length !== 29) return text;
      return (text.slice(0, 3) + ' ' + text.slice(8, 11) + ' ' + text.slice(5, 7) + ' ' + text.slice(12, 25)
        + ' GMT+0000 (UTC)').slice(from, to);
    };
  }
  fix(RealDate.prototype, 'toString', stamped(0));
  fix(RealDate.prototype, 'toLocaleString', stamped(0));
  fix(RealDate.prototype, 'toDateString', stamped(0, 15));
  fix(RealDate.prototype, 'toLocaleDateString', stamped(0, 15));
  fix(RealDate.prototype, 'toTimeString', stamped(16));
  fix(RealDate.prototype, 'toLocaleTimeString', stamped(16));
  define(Moment, 'prototype', { value: RealDate.prototype });
  fix(RealDate.prototype, 'constructor', Moment);
  fix(Moment, 'UTC', RealDate.UTC);
  fix(Moment, 'parse', function (text) { return read(Text(text)); });
  fix(Moment, 'now', function () { return host('now'); });
  fix(global, 'Date', Moment);

  // -- records and their fields

  function plain(value) {
    if (value === null || value === undefined) return null;
    var element = find(value);
    if (element) return host('get', element.which, element.path);
    if (typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number') return isFinite(value) ? value : Text(value);
    if (isArray(value)) {
      bounded(value);
      var copy = [];
      for (var i = 0; i < value.length; i++) copy[i] = isArray(value[i]) ? Text(value[i]) : plain(value[i]);
      return copy;
    }
    return Text(value);
  }
  function all(given) {
    var copy = [];
    for (var i = 0; i < given.length; i++) copy[i] = plain(given[i]);
    return copy;
  }
  function sender(op, object) {  // an object all of whose methods the host answers
    return new RealProxy({}, {
      get: function (_, name) {
        if (typeof name !== 'string') return undefined;
        if (name === 'toString') return function () { return object; };
        return function () { return host(op, name, all(arguments)); };
      },
      set: function () { return true; },
      defineProperty: function () { return false; }
    });
  }

  // A field of type boolean equals true as well as 'true': comparisons with the text say so by `said`.
  var asText = false;
  function said(text) { asText = true; return text; }

  var fieldMethods = {
    getDisplayValue: 1, getValue: 1, nil: 1, changes: 1, changesTo: 1, changesFrom: 1, setValue: 1, getName: 1,
    getLabel: 1, getTableName: 1, getReferenceTable: 1, toString: 1, setDisplayValue: 1,
    getED: 1, getRefRecord: 1, getGlideObject: 1, getJournalEntry: 1, canRead: 1, canWrite: 1, canCreate: 1,
    dateNumericValue: 1, setDateNumericValue: 1, getChoices: 1, getChoiceValue: 1, hasAttribute: 1,
    getAttribute: 1, getHTMLValue: 1, getDecryptedValue: 1, setError: 1, getError: 1, hasRightsTo: 1,
    setInitialValue: 1, setPassword: 1, getBooleanAttribute: 1, debugSecurity: 1, getXMLValue: 1
  };
  function field(which, path, kind) {
    var proxy = new RealProxy({}, {
      get: function (_, name) {
        if (name === toPrimitive) return primitive;
        if (typeof name !== 'string') return undefined;
        if (name === 'valueOf') return function () { return primitive('number'); };
        if (fieldMethods[name] === 1) {
          return function () { return host('field', which, path, name, all(arguments)); };
        }
        return step(which, path + '.' + name);
      },
      set: function () { return true; },
      defineProperty: function () { return false; }
    });
    function primitive(hint) {
      var value = host('get', which, path), text = asText;
      asText = false;
      return kind === 'boolean' && hint === 'default' && !text ? value === 'true' : value;
    }
    keep(proxy, { which: which, path: path });
    return proxy;
  }
  function step(which, path) {
    var kind = host('kind', which, path);
    return kind === null ? undefined : field(which, path, kind);
  }
  function record(which) {
    return new RealProxy({}, {
      get: function (_, name) {
        if (typeof name !== 'string') return undefined;
        asText = false;
        if (name === 'toString') return function () { return '[object GlideRecord]'; };
        if (host('method', name)) {
          return function () { return host('record', which, name, all(arguments)); };
        }
        return step(which, name);
      },
      set: function (_, name, value) {
        if (typeof name === 'string') host('set', which, name, plain(value));
        return true;
      },
      has: function (_, name) { return typeof name === 'string' && host('kind', which, name) !== null; },
      defineProperty: function () { return false; }
    });
  }
  var current = record('current'), previous = record('previous');
  var user = sender('user', '[object GlideUser]'), session = sender('session', '[object GlideSession]');
  var gs = new RealProxy({}, {
    get: function (_, name) {
      if (typeof name !== 'string') return undefined;
      if (name === 'getUser') return function () { return user; };
      if (name === 'getSession') return function () { return session; };
      if (name === 'nil') return function (value) { return value === null || value === undefined || plain(value) === ''; };
      if (name === 'toString') return function () { return '[object GlideSystem]'; };
      return function () { return host('gs', name, all(arguments)); };
    },
    set: function () { return true; },
    defineProperty: function () { return false; }
  });

  // What the platform has and this world has not: to look for it ends the script.
  var lacking = Object.create(above(global));
  host('lacking').forEach(function (name) {
    define(lacking, name, { get: function () { return host('missing', name); },
      set: function (value) { fix(global, name, value); } });
  });
  setPrototypeOf(global, Object.freeze(lacking));

  var programs = [], baseline = [];
  define(global, '$compile', { value: function (kind, source) {
    made(null, [source]);
    var head = '(function (current, previous, gs, user, $said) {', foot = '\n})';
    if (kind === 'expression') head += ' return (', foot = '\n)' + foot;
    if (kind === 'answer') head += ' var answer; ', foot = '\n;return answer;' + foot;
    if (kind === 'body') foot = ['Before', 'After', 'Async'].map(function (when) {
      return '\n;if (typeof on' + when + ' === "function") on' + when + '(current, previous);';
    }).join('') + foot;
    programs.push(realEval(head + source + foot));
    return programs.length - 1;
  } });
  define(global, '$run', { value: function (index, before) {
    asText = false;
    var value = apply(programs[index], undefined, [current, before ? previous : null, gs, user, said]);
    return value === undefined || value === null ? null : plain(value);
  } });
  define(global, '$expose', { value: function () {
    fix(global, 'current', current); fix(global, 'gs', gs); fix(global, 'user', user); fix(global, '$said', said);
  } });
  // Whether the world is as it was, once what a script has left in it is gone.
  define(global, '$clean', { value: function () {
    var names = own(global), i, before = baseline;
    for (i = 0; i < names.length; i++) {
      if (known[names[i]] !== true && !remove(global, names[i])) return false;
    }
    for (i = 0; i < before.length; i += 2) if (global[before[i]] !== before[i + 1]) return false;
    return true;
  } });
  var known = Object.create(null);
  own(global).forEach(function (name) {
    known[name] = true;
    if (name !== 'NaN') baseline.push(name, global[name]);
  });
})(globalThis, host);
