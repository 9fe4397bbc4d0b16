"""The units that a numeric answer may be in: a closed table, exact factors, and no currency rates.

A unit of another dimension is wrong, and so is one that the table lacks. Symbols are read as they are written, since
M is not m; words in any case. Factors are those of the International System (BIPM, 9th edition) and of NIST Special
Publication 811; a mile, a gallon and a ton are what the table says they are.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple


class Unit(NamedTuple):
    """`number` of it is (number + offset) * factor of the dimension's first unit."""

    dimension: str
    name: str
    factor: Fraction
    offset: Fraction = Fraction(0)


TABLE: dict[str, dict[str, str]] = {
    "length": {
        "m meter meters metre metres": "1",
        "km kilometer kilometers kilometre kilometres": "1000",
        "cm centimeter centimeters centimetre centimetres": "1/100",
        "mm millimeter millimeters millimetre millimetres": "1/1000",
        "µm μm um micrometer micrometers micrometre micrometres": "1/1000000",
        "nm nanometer nanometers nanometre nanometres": "1/1000000000",
        "inch inches": "254/10000",
        "ft foot feet": "3048/10000",
        "yd yard yards": "9144/10000",
        "mi mile miles": "1609344/1000",
    },
    "area": {
        "m² m2 m^2": "1",
        "km² km2 km^2": "1000000",
        "cm² cm2 cm^2": "1/10000",
        "mm² mm2 mm^2": "1/1000000",
        "ha hectare hectares": "10000",
        "acre acres": "40468564224/10000000",
    },
    "volume": {
        "l L liter liters litre litres": "1",
        "ml mL milliliter milliliters millilitre millilitres": "1/1000",
        "cl cL centiliter centiliters centilitre centilitres": "1/100",
        "m³ m3 m^3": "1000",
        "cm³ cm3 cm^3": "1/1000",
        "gal gallon gallons": "3785411784/1000000000",
    },
    "mass": {
        "kg kilogram kilograms": "1",
        "g gram grams": "1/1000",
        "mg milligram milligrams": "1/1000000",
        "µg μg ug microgram micrograms": "1/1000000000",
        "t tonne tonnes": "1000",
        "lb lbs pound-mass": "45359237/100000000",
        "oz ounce ounces": "28349523125/1000000000000",
    },
    "time": {
        "s sec second seconds": "1",
        "ms millisecond milliseconds": "1/1000",
        "µs μs us microsecond microseconds": "1/1000000",
        "ns nanosecond nanoseconds": "1/1000000000",
        "min mins minute minutes": "60",
        "h hr hrs hour hours": "3600",
        "d day days": "86400",
        "week weeks": "604800",
    },
    "speed": {
        "m/s": "1",
        "km/h kmh kph": "1000/3600",
        "mph mi/h": "1609344/3600000",
        "kn knot knots": "1852/3600",
    },
    "energy": {
        "J joule joules": "1",
        "kJ kilojoule kilojoules": "1000",
        "MJ megajoule megajoules": "1000000",
        "Wh": "3600",
        "kWh": "3600000",
        "MWh": "3600000000",
        "kcal kilocalorie kilocalories": "4184",
    },
    "power": {"W watt watts": "1", "mW": "1/1000", "kW kilowatt kilowatts": "1000", "MW megawatt megawatts": "1000000"},
    "pressure": {
        "Pa pascal pascals": "1",
        "hPa": "100",
        "kPa": "1000",
        "MPa": "1000000",
        "bar": "100000",
        "mbar": "100",
        "atm": "101325",
    },
    "frequency": {"Hz hertz": "1", "kHz": "1000", "MHz": "1000000", "GHz": "1000000000"},
    "voltage": {"V volt volts": "1", "mV": "1/1000", "kV": "1000"},
    "current": {"A amp amps ampere amperes": "1", "mA": "1/1000"},
    "charge": {"Ah": "1", "mAh": "1/1000"},
    "data": {
        "B byte bytes": "1",
        "bit bits": "1/8",
        "kB KB kilobyte kilobytes": "1000",
        "MB megabyte megabytes": "1000000",
        "GB gigabyte gigabytes": "1000000000",
        "TB terabyte terabytes": "1000000000000",
        "KiB": "1024",
        "MiB": "1048576",
        "GiB": "1073741824",
        "TiB": "1099511627776",
    },
    "angle": {"deg degree degrees": "1"},
    "share": {"% percent": "1", "‰ permille": "1/10", "bp bps": "1/100"},
    "US dollars": {"USD $ dollar dollars": "1"},
    "euros": {"EUR € euro euros": "1"},
    "pounds sterling": {"GBP £": "1"},
    "yen": {"JPY ¥ yen": "1"},
    "Swiss francs": {"CHF": "1"},
    "Indian rupees": {"INR ₹ rupee rupees": "1"},
    "yuan": {"CNY RMB yuan": "1"},
    "Canadian dollars": {"CAD": "1"},
    "Australian dollars": {"AUD": "1"},
    "Swedish kronor": {"SEK": "1"},
    "Norwegian kroner": {"NOK": "1"},
    "Danish kroner": {"DKK": "1"},
    "zloty": {"PLN": "1"},
}
TEMPERATURES = {
    "K kelvin kelvins": ("1", "0"),
    "°C °celsius celsius": ("1", "27315/100"),
    "°F °fahrenheit fahrenheit": ("5/9", "45967/100"),
}
CURRENCY_SIGNS = "$€£¥₹"
CURRENCY_CODES = tuple(
    name for rows in TABLE.values() for names in rows for name in names.split() if len(name) == 3 and name.isupper()
)
SHORTEST_WORD = 4
"""Shorter names are symbols, in which case tells units apart."""


@lru_cache(maxsize=1)
def _units() -> dict[str, Unit]:
    """Every name and its unit; words, in lower case too."""
    found: dict[str, Unit] = {}
    for dimension, rows in TABLE.items():
        for names, factor in rows.items():
            first = names.split()[0]
            found |= {name: Unit(dimension, first, Fraction(factor)) for name in names.split()}
    for names, (factor, offset) in TEMPERATURES.items():
        first = names.split()[0]
        found |= {name: Unit("temperature", first, Fraction(factor), Fraction(offset)) for name in names.split()}
    return found


def unit(name: str) -> Unit | None:
    """The unit of that name ("km/h", "degrees Celsius", "metres per second"); None where the table has none."""
    name = re.sub(r"(?ai)(?:degrees?\s|°\s)(?=[cf])", "°", name)
    one, per, other = name.partition(" per ")
    if per and (a := unit(one)) is not None and (b := unit(other)) is not None:
        name = f"{a.name}/{b.name}"
    found = _units().get(name)
    return found if found is not None or len(name) < SHORTEST_WORD else _units().get(name.lower())


def converted(number: Fraction, given: Unit, wanted: Unit) -> Fraction:
    """`number` of `given` in `wanted`, which is of the same dimension."""
    return (number + given.offset) * given.factor / wanted.factor - wanted.offset
