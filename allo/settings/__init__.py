"""Every setting of Allo, read from the environment, each with a safe default.

`docs/settings.md` says what each is for. With no environment at all the services of a running
`make up` are found through the file it leaves in the state folder.
"""

from allo.settings.clock import *
from allo.settings.database import *
from allo.settings.environment import *
from allo.settings.live import *
from allo.settings.media import *
from allo.settings.money import *
from allo.settings.rules import *
from allo.settings.security import *
from allo.settings.site import *
from allo.settings.watching import *
from allo.settings.webhooks import *
