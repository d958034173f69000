"""Images at several resolutions, as rows of feature maps for `FastFlowDetector`."""

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pixel_unshuffle

#: Images shorter than this get no coarser level, and there are at most so many levels.
MIN_SIDE, MAX_LEVELS = 12, 3


def pyramid(maps: Tensor) -> list[Tensor]:
    """Levels of images (n, c, h, w): each half as fine, squares of four pixels as channels.

    Lossless at the first level where height and width are even; odd ones are resampled.
    """
    levels = []
    for _ in range(MAX_LEVELS):
        height, width = (size + size % 2 for size in maps.shape[2:])
        if (height, width) != tuple(maps.shape[2:]):
            maps = interpolate(maps, (height, width), mode="bilinear", align_corners=False)
        levels.append(pixel_unshuffle(maps, 2))
        if min(height, width) < MIN_SIDE:
            break
        maps = avg_pool2d(maps, 2)
    return levels
