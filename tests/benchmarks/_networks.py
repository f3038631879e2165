"""Networks with random weights that ``bench_networks.py`` compares."""

import _timing  # noqa: F401 (before numpy is loaded: one BLAS thread)
import torch
from torch import nn


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.act = nn.ReLU(inplace=True)
        self.shortcut = nn.Identity()
        if stride != 1 or width_in != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x):
        inner = self.act(self.bn1(self.conv1(x)))
        return self.act(self.bn2(self.conv2(inner)) + self.shortcut(x))


class ResNet(nn.Module):
    """A residual network of 64, 128, 256 and 512 channels."""

    def __init__(self, depths, n_classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.act = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1)
        stages, width_in = [], 64
        for depth, width in zip(depths, (64, 128, 256, 512), strict=True):
            blocks = []
            for number in range(depth):
                stride = 2 if number == 0 and width > 64 else 1
                blocks.append(Block(width_in, width, stride))
                width_in = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(512, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x):
        x = self.stages(self.pool(self.act(self.bn1(self.conv1(x)))))
        return self.head(x.mean(dim=(2, 3)))


def resnets():
    """ResNet-18 and ResNet-34, with 20 and 36 convolutions."""
    torch.manual_seed(0)
    return ResNet((2, 2, 2, 2)).eval(), ResNet((3, 4, 6, 3)).eval()


def small_nets():
    """Two convolutional networks of eight narrow layers."""
    torch.manual_seed(0)
    return tuple(
        nn.Sequential(
            nn.Conv2d(1, 8, 3),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, 2),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(400, 10),
        ).eval()
        for _ in range(2)
    )


def berts():
    """Two BERTs of four layers, 128 wide; needs transformers."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=1000,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=64,
    )
    return tuple(BertModel(config, add_pooling_layer=False).eval() for _ in range(2))


def layers_of(model, kinds):
    """Names of the modules of some kinds."""
    return [n for n, module in model.named_modules() if isinstance(module, kinds)]


def images(n_rows, size, n_channels=3):
    """Random images."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn((n_rows, n_channels, size, size), generator=generator)


def sentences(n_rows, n_tokens=64):
    """Random tokens of random length: those after the end are padding."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, 1000, (n_rows, n_tokens), generator=generator)
    lengths = torch.randint(8, n_tokens + 1, (n_rows, 1), generator=generator)
    mask = (torch.arange(n_tokens) < lengths).long()
    return {"input_ids": tokens * mask, "attention_mask": mask}
