"""What the keeper of the house finds and tells."""

from minhu.glossary.kind import Kind

INCIDENT = Kind(
    "incident",
    {
        "missing": ("未送达", "missing"),
        "late": ("迟到", "late"),
        "refused": ("整批拒收", "refused"),
        "held": ("扣留", "held"),
        "arrived": ("已到达，未能装载", "arrived, not loaded"),
        "build_failed": ("构建失败", "build failed"),
        "build_late": ("构建误时", "build is late"),
        "not_built": ("久未构建", "not built for long"),
        "gate_failed": ("发布门禁", "release gate"),
        "approval_waits": ("待审批", "awaits approval"),
        "closing_outdated": ("关账后有新数据", "newer data than closed"),
        "disk": ("磁盘", "disk"),
        "clock_off": ("时钟不准", "the clock is off"),
        "calendar_ends": ("工作日历将尽", "calendar ends"),
        "airflow_silent": ("调度停顿", "the scheduler is silent"),
        "task_queued": ("任务久候", "a task waits for long"),
        "run_failed": ("运行失败", "a run failed"),
        "backup_old": ("备份过旧", "no recent backup"),
        "certificate_ends": ("证书将到期", "a certificate ends"),
        "after_freeze": ("移出的月份有新数据", "data arrived for a month kept apart"),
        "standby_off": ("备库异常", "the standby is away or behind"),
    },
)
STANDBY = Kind(
    "standby",
    {
        "well": ("正常", "follows"),
        "away": ("连不上", "cannot be reached"),
        "not_following": ("已不跟随主库", "follows its primary no longer"),
        "behind": ("落后过多", "is too far behind"),
        "stranger": ("不是本库的备库", "is no standby of this warehouse"),
    },
)
CITY = Kind(  # of a province, by its last reading
    "city",
    {
        "well": ("正常", "read as it is"),
        "silent": ("没有应答", "does not answer"),
        "locked_out": ("登录被拒", "does not let the login in"),
        "other_city": ("不是这座城市的库", "is the warehouse of another city"),
        "older": ("版本过旧", "runs a version that gives nothing to a province: upgrade it"),
        "newer": ("版本较新", "runs a later version: upgrade the province first"),
        "rewritten": ("已发布的内容与读取时不同", "has not what was read of it once"),
        "changed": ("内容与哈希不符", "sent a row that is not the one it published"),
        "failed": ("读取失败", "could not be read"),
    },
)
STEP = Kind(
    "step",
    {
        "first": ("首次", "first"),
        "reminder": ("再次提醒", "reminder"),
        "last_time": ("最后提醒", "last reminder"),
        "solved": ("已消除", "mended"),
    },
)
BACKUP = Kind("backup", {"base": ("整机备份", "base backup"), "dump": ("导出备份", "dump")})
TOLD = Kind(
    "told",
    {"sending": ("发送中", "being sent"), "sent": ("已发送", "sent"), "failed": ("未送出", "not sent")},
)
