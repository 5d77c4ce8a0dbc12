from suite import *
