"""What ADBench has: the names of its tables, their sizes, and digests of those measured here."""

#: Number, name, rows, features and anomalies: the list in ADBench's adbench/datasets/README.md.
CLASSICAL = """
1 ALOI 49534 27 1508
2 annthyroid 7200 6 534
3 backdoor 95329 196 2329
4 breastw 683 9 239
5 campaign 41188 62 4640
6 cardio 1831 21 176
7 Cardiotocography 2114 21 466
8 celeba 202599 39 4547
9 census 299285 500 18568
10 cover 286048 10 2747
11 donors 619326 10 36710
12 fault 1941 27 673
13 fraud 284807 29 492
14 glass 214 7 9
15 Hepatitis 80 19 13
16 http 567498 3 2211
17 InternetAds 1966 1555 368
18 Ionosphere 351 32 126
19 landsat 6435 36 1333
20 letter 1600 32 100
21 Lymphography 148 18 6
22 magic.gamma 19020 10 6688
23 mammography 11183 6 260
24 mnist 7603 100 700
25 musk 3062 166 97
26 optdigits 5216 64 150
27 PageBlocks 5393 10 510
28 pendigits 6870 16 156
29 Pima 768 8 268
30 satellite 6435 36 2036
31 satimage-2 5803 36 71
32 shuttle 49097 9 3511
33 skin 245057 3 50859
34 smtp 95156 3 30
35 SpamBase 4207 57 1679
36 speech 3686 400 61
37 Stamps 340 9 31
38 thyroid 3772 6 93
39 vertebral 240 6 30
40 vowels 1456 12 50
41 Waveform 3443 21 100
42 WBC 223 9 10
43 WDBC 367 30 10
44 Wilt 4819 5 257
45 wine 129 13 10
46 WPBC 198 33 47
47 yeast 1484 8 507
"""
MNIST_C = (
    "brightness canny_edges dotted_line fog glass_blur identity impulse_noise motion_blur rotate "
    "scale shear shot_noise spatter stripe translate zigzag"
)
MVTEC_AD = (
    "bottle cable capsule carpet grid hazelnut leather metal_nut pill screw tile toothbrush "
    "transistor wood zipper"
)
#: Image features by ResNet18; rows and anomalies where the same list has them for each table.
N_FEATURES = 512
FEATURES: dict[str, tuple[int, int] | None] = {
    **{f"CIFAR10_{k}": (5263, 263) for k in range(10)},
    **{f"FashionMNIST_{k}": (6315, 315) for k in range(10)},
    **{f"SVHN_{k}": None for k in range(10)},
    **{f"MNIST-C_{name}": (10_000, 500) for name in MNIST_C.split()},
    **{f"MVTec-AD_{name}": None for name in MVTEC_AD.split()},
}
#: SHA-256 of the values (float64) and then the labels (int64), little-endian, of the tables that
#: skflow's own figures were measured on. Not of files: the same values may be packed in many ways.
DIGESTS = {
    "ALOI": "740ac2b83935dddf897b0fba25c4833e23a45863c5b979a8c84ea776be9c1438",
    "annthyroid": "5077d1b451e076c25796b8a70480ed8f7510fbb0d1236155ad957a6cb0bd4527",
    "breastw": "0af32721bbc6b810cac9c1b628efa99b7a02add808177952c56d222b8bb479d6",
    "Cardiotocography": "48f745addef28cc9b2ad2f3a42f443aa192731e6bbaee2d4fe44126350547d2d",
    "celeba": "f9748792e49d12de670f06268b294b1377a66271c4d108a3979399db4e97e9af",
    "CIFAR10_0": "c7e05d6eb9b40148406f4e4305fb0df0120feda776cc7498dff36b84907ba5b8",
    "CIFAR10_4": "fccef02d154d479c6d0949ecefe89e451ccf9defe8da3ffce3aea868f7b8f847",
    "donors": "d3fdd4cc0415342c67491347519250147f3dc0fcc481b0d26dbcf054d9574c7e",
    "glass": "c6269ffd0a68a747e0bc7d9254c806d437f5a0b7f0da9d6da7478632766f364b",
    "Hepatitis": "7d610664e34d06b376611eae7e2f403b9e7f197a6c6e94ae150d0f4760a2badd",
    "Ionosphere": "f9f89590983d9c3c36e387af7be771d95feb7264a05c6dac873aff0b2bef493d",
    "letter": "33591e88c373df96ddb1f781dad14cc199832c8d33f4ce747632b7a07cf16e82",
    "Lymphography": "e691b146f744788222f88a6c81b4a8d354eebc5b3fbd8f20da2024145e5ab236",
    "magic.gamma": "d4bb34574b34931db59827b0609c312d86b47febef4094f4293a38713be01ecf",
    "mammography": "8660fe33f23e1a6f8e1e1956787403a52b7183c3ca071bbe9579939ad87f3ab3",
    "MVTec-AD_bottle": "66e6d5c4101abb47bb99dac8ac94b3a88dd07171975e21ef3ab901afa4868660",
    "MVTec-AD_cable": "6276a88073cf3afa1ab6d2d003175a5a9d3844ddcd0214f33e704c17a530fa69",
    "MVTec-AD_capsule": "1096a1c63414fa5fed314c130355acef53e08648bce8b02017aaa119f9d50acc",
    "MVTec-AD_carpet": "a9e681d1c4d327a97e05e0697ca83a02310c51800c4c32975008698b00ed2048",
    "MVTec-AD_grid": "21dd5af829c2e08e69dafe892eb998182fa634b549e4d178b5306e415ee426c0",
    "optdigits": "0414f0bcd0eff3888f151af8434d9b397a83c06fd58ba512c11b8a1f86846d8a",
    "PageBlocks": "277ebb0c63aff8dcac14855af19485ab7031ec280df4d5edd4d54e1630e1dc7b",
    "Pima": "193eceed7fa7e7b51b8f347b2b7be385c5d2725b7de4e4c040080c30d7f614da",
    "satellite": "fd09ed2ca52df2e9fb68cc5a7e47fc3ed7dfb9d0536ef090bb42b6dc92fff372",
    "satimage-2": "6489b75983c48812d448c65021f44eeece54bc017993eedbdb2b8e194c5b0ffd",
    "shuttle": "2993782d44e631e0565eb7ab5766bb4306764d9345af6916e3e42ea4486d359c",
    "smtp": "6ff2cff139a820577302ff9fa356bc2d4a657779fb50df3d60dc9116529f7556",
    "SpamBase": "a15956d305346c51cc4387940cc67e3bc25d8afaaa748e15b95e1aea6705f16f",
    "Stamps": "ebe7c355dcab1493aa6bd17aa1cfe792a893c529dc524c4cf8b2b52bf7de6abb",
    "SVHN_0": "7ca31ebe53cd545aff659b3ece5f3e86f5d34a6cfb0b80c9d958c879ce353b8a",
    "SVHN_8": "0dc5296acd6855306739088a72fd74df481dd1b744a866863cf41ddae0a24194",
    "vertebral": "9eb1751116b546e8e446cf46b10e1eb8e468d25f6be0af8a7bfbc4dbabd09790",
    "vowels": "efe8160d9a404fe7d7ebc44187584aa43079aa9496d5e82fc676bc3fe4456279",
    "WBC": "8e44b973a0d1b4d4ebaff738c386e832e325fd569c3a41331502c44ff0cc4784",
    "wine": "6dea9e73000cb5af1d05c20530170a26c4f231125a0774d3dd44f88565dff34f",
    "yeast": "c11723ac3da36124ac8c4db12f40b7f1c2ddbb5a4a30a4537a3ac8bf7e8076c3",
}
