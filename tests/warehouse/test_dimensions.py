"""Units over time, and trees laid flat."""

import pytest

from minhu import database
from minhu.config import read_config
from minhu.errors import BadDeclaration
from minhu.warehouse.build import build
from tests import given

UNITS = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from,valid_to
A,工商局,department,2,city,false,市工商局,2010-01-01,2019-01-01
B,质监局,department,2,city,false,,2010-01-01,2019-01-01
C,市场监管局,department,2,city,false,,2019-01-01,2024-01-01
C,市场监督管理局,department,1,city,true,,2024-01-01,
D,园林文物局,department,2,city,false,,2010-01-01,2025-06-01
E,园林局,department,2,city,false,,2025-06-01,
F,文物局,department,2,city,false,,2025-06-01,
G,风景办,department,2,city,false,,2010-01-01,2015-01-01
"""
SUCCESSIONS = """old_unit_code,new_unit_code,succession_kind,effective_on
A,C,merged,2019-01-01
B,C,merged,2019-01-01
G,D,renamed,2015-01-01
D,E,split,2025-06-01
D,F,split,2025-06-01
"""
CATEGORIES = """category_code,category_name,parent_category_code,category_level
1,城市管理,,1
11,市容,1,2
111,占道经营,11,3
1111,流动摊贩,111,4
11111,早餐车,1111,5
2,交通,,1
"""
AREAS = """area_code,area_name,parent_area_code,area_level
C,杭州市,,city
D,临安区,C,district
T,天目山镇,D,town
V,白鹤村,T,village
G,白鹤一网格,V,grid
S,直属园区,C,town
"""


@pytest.fixture
def city(scratch, tmp_path):
    registers = {"units": UNITS, "unit_succession": SUCCESSIONS, "categories": CATEGORIES, "areas": AREAS}
    return scratch(given.config(tmp_path / "config", **registers))


def test_units_and_trees(city):
    build(city)

    def rows(query):
        with database.connect(city) as connection:
            return connection.execute(query).fetchall()

    assert rows("select unit_name, has_24h_duty from mart.dim_unit where unit_code = 'C' order by valid_from") == [
        ("市场监管局", False),
        ("市场监督管理局", True),
    ]
    assert rows("select unit_code, rollup_unit_code, is_split from mart.unit_rollup order by 1") == [
        ("A", "C", False),
        ("B", "C", False),
        ("C", "C", False),
        ("D", "D", True),
        ("E", "E", False),
        ("F", "F", False),
        ("G", "D", True),
    ]
    names = ", ".join(f"level_{level}_name" for level in range(1, 6))
    assert rows(f"select {names} from mart.dim_category order by category_code") == [
        ("城市管理", None, None, None, None),
        ("城市管理", "市容", None, None, None),
        ("城市管理", "市容", "占道经营", None, None),
        ("城市管理", "市容", "占道经营", "流动摊贩", None),
        ("城市管理", "市容", "占道经营", "流动摊贩", "早餐车"),
        ("交通", None, None, None, None),
    ]
    levels = ", ".join(f"{level}_code" for level in ("city", "district", "town", "village", "grid"))
    assert rows(f"select {levels} from mart.dim_area where area_code in ('G', 'S') order by area_code") == [
        ("C", "D", "T", "V", "G"),
        ("C", None, "S", None, None),  # a town without a district above it
    ]


@pytest.mark.parametrize(
    ("register", "text", "told"),
    [
        ("unit_succession", SUCCESSIONS + "A,E,merged,2020-01-01\n", r":7: A already leads to another unit in line 2"),
        ("unit_succession", SUCCESSIONS + "A,X,split,2020-01-01\n", r":7: there is no unit 'X'"),
        ("unit_succession", SUCCESSIONS + "C,C,renamed,2020-01-01\n", r"a new row of units.csv"),
        ("categories", CATEGORIES + "31,孤儿,3,2\n", r"category 31: there is no '3' above it"),
        ("categories", CATEGORIES + "12,同级,11,2\n", r"category 12: it lies no level below 11"),
        ("areas", AREAS + "Z,倒挂,T,city\n", r"area Z: it lies no level below T"),
    ],
)
def test_a_register_that_contradicts_itself_is_refused(tmp_path, register, text, told):
    registers = {"units": UNITS, "unit_succession": SUCCESSIONS, "categories": CATEGORIES, "areas": AREAS}
    folder = given.config(tmp_path / "config", **registers | {register: text})
    with pytest.raises(BadDeclaration, match=told):
        read_config(folder)
