"""Functions of the DSP extension that are printed, each for int8 and int16 activations where it needs to know."""

from mcuq.kernels.dsp.assembly.columns import columns
from mcuq.kernels.dsp.assembly.depthwise import depthwise, loops
from mcuq.kernels.dsp.assembly.long_sums import long_sums
from mcuq.kernels.dsp.assembly.product_1 import product_1
from mcuq.kernels.dsp.assembly.product_4 import product_4
from mcuq.kernels.dsp.assembly.sums_4 import sums_4
from mcuq.kernels.dsp.assembly.width import S8, S16

FUNCTIONS = (
    *(
        function
        for width in (S8, S16)
        for function in (columns(width), product_4(width), product_1(width), *loops(width), depthwise(width))
    ),
    sums_4(),
    long_sums(),
)
