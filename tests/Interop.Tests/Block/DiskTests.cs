using System.Security.Cryptography;
using InterGuest.Interop.Tests.Harness;

namespace InterGuest.Interop.Tests.Block;

/// <summary>An unmodified Linux VM with vhost-user-blk-pci and vhost-user-rng-pci, whose other ends are agents. Booted once for all of these.</summary>
[Collection("machine")]
public sealed class DiskTests(DiskTests.Booted booted) : IClassFixture<DiskTests.Booted>
{
    private const long MiB = 1 << 20, PlainBytes = 256 * MiB, OddBytes = MiB + 3 * 512, CachedBytes = 64 * MiB;

    private DiskRig Rig => booted.Rig;

    private Vm Client => booted.Rig.Client;

    [VmFact]
    public async Task Disks_are_what_their_images_and_servers_are()
    {
        // The third one grows, in another test.
        Assert.Equal($"{PlainBytes}\n{OddBytes}", await Client.ExecAsync("for d in vda vdb; do blockdev --getsize64 /dev/$d; done"));
        Assert.Equal("plain.raw 0 write through", await DescribeAsync("vda"));
        Assert.Equal("odd.raw 1 write through", await DescribeAsync("vdb"));
        Assert.Equal("cached.raw 0 write back", await DescribeAsync("vdc"));
        // VIRTIO_BLK_F_MQ; how many it uses is up to its CPUs.
        Assert.Equal("1", await Client.ExecAsync("cut -c13 /sys/block/vdc/device/features"));
    }

    [VmFact]
    public async Task A_read_only_disk_is_read_as_it_is_and_not_written()
    {
        string there = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Rig.Image("odd"))));
        Assert.Equal($"{there}  -", await Client.ExecAsync("sha256sum </dev/vdb"));
        Assert.NotEqual(0, (await Client.TryExecAsync("dd if=/dev/zero of=/dev/vdb bs=512 count=1 oflag=direct")).ExitCode);
        Assert.Equal($"{there}  -", await Client.ExecAsync("echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/vdb"));
    }

    [VmTheory]
    [InlineData("vda")]
    [InlineData("vdc")]
    public async Task Ext4_keeps_its_files(string disk)
    {
        await Client.ExecAsync($"mke2fs -q -F -t ext4 -E lazy_itable_init=0 /dev/{disk} && mount -t ext4 /dev/{disk} /mnt");
        string written = await Client.ExecAsync("dd if=/dev/urandom of=/mnt/f bs=1M count=24 2>/dev/null && sha256sum </mnt/f && umount /mnt && echo 3 >/proc/sys/vm/drop_caches", 120);
        Assert.Matches("^[0-9a-f]{64} ", written);
        await Client.ExecAsync($"e2fsck -fn /dev/{disk}");
        Assert.Equal(written, await Client.ExecAsync($"mount -t ext4 /dev/{disk} /mnt && sha256sum </mnt/f", 120));
        long before = await BlocksAsync(disk == "vda" ? "plain" : "cached");
        await Client.ExecAsync("rm /mnt/f && sync && fstrim /mnt && umount /mnt", 120);
        Assert.InRange(await BlocksAsync(disk == "vda" ? "plain" : "cached"), 0, before - 20 * MiB / 512);
    }

    [VmTheory]
    [InlineData("vda", "randrw", "4k", 1, 4)]
    [InlineData("vda", "randrw", "4k", 64, 16)]
    [InlineData("vda", "rw", "4k", 1, 4)]
    [InlineData("vda", "rw", "128k", 64, 64)]
    [InlineData("vdc", "randrw", "16k", 64, 32)]
    public async Task Fio_verifies_with_crc32c(string disk, string pattern, string block, int depth, int mebibytes) => await Client.ExecAsync(
        $"fio --name=v --filename=/dev/{disk} --direct=1 --ioengine=libaio --rw={pattern} --bs={block} --iodepth={depth} --size={mebibytes}M "
        + "--verify=crc32c --verify_fatal=1 --do_verify=1 --randrepeat=0 --minimal >/tmp/fio 2>&1 || { cat /tmp/fio; exit 1; }", 240);

    [VmFact]
    public async Task A_disk_grows_while_it_is_used()
    {
        const long Larger = CachedBytes + 16 * MiB;
        await using (var image = new FileStream(Rig.Image("cached"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            image.SetLength(Larger);
        await Client.ExecAsync($"wait_for 30 grep -qx {Larger / 512} /sys/block/vdc/size");
        await Client.ExecAsync($"dd if=/dev/urandom of=/tmp/end bs=4k count=1 2>/dev/null && dd if=/tmp/end of=/dev/vdc bs=4k seek={Larger / 4096 - 1} oflag=direct 2>/dev/null && sync");
        byte[] end = (await File.ReadAllBytesAsync(Rig.Image("cached")))[^4096..];
        Assert.Equal(await Client.ExecAsync("sha256sum </tmp/end"), $"{Convert.ToHexStringLower(SHA256.HashData(end))}  -");
    }

    [VmFact]
    public async Task A_guest_reads_the_randomness_of_another()
    {
        await Client.ExecAsync("modprobe virtio_rng && wait_for 10 grep -q virtio_rng /sys/class/misc/hw_random/rng_available");
        Assert.Contains("virtio_rng", await Client.ExecAsync("cat /sys/class/misc/hw_random/rng_current"), StringComparison.Ordinal);
        string[] sums = (await Client.ExecAsync("for i in 1 2 3 4; do dd if=/dev/hwrng bs=4k count=1 iflag=fullblock 2>/dev/null | tee /tmp/rnd | sha256sum; stat -c %s /tmp/rnd; done")).Split('\n');
        Assert.All(sums.Where((_, i) => i % 2 == 1), s => Assert.Equal("4096", s));
        Assert.Equal(4, sums.Where((_, i) => i % 2 == 0).Distinct().Count());
        Assert.True((await Rig.Switch.PortAsync("rng")).Counters.RxBytes >= 4 * 4096);
    }

    /// <summary>The serial number, whether it is read-only, and its cache.</summary>
    private Task<string> DescribeAsync(string disk) =>
        Client.ExecAsync($"echo $(cat /sys/block/{disk}/serial; echo; cat /sys/block/{disk}/ro /sys/block/{disk}/queue/write_cache)");

    /// <summary>Sectors that an image takes of its file system.</summary>
    private async Task<long> BlocksAsync(string disk) => long.Parse(await Command.MustAsync("stat", ["-c", "%b", Rig.Image(disk)]));

    public sealed class Booted : IAsyncLifetime
    {
        internal DiskRig Rig { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            if (VmFactAttribute.Lacking != null)
                return;
            Rig = await DiskRig.CreateAsync();
            try
            {
                await File.WriteAllBytesAsync(Rig.Image("odd"), RandomNumberGenerator.GetBytes((int)OddBytes));
                await Rig.ServeAsync("plain", PlainBytes);
                await Rig.ServeAsync("odd", OddBytes, 1, "--read-only");
                await Rig.ServeAsync("cached", CachedBytes, 2, "--cached");
                await Rig.AttachAsync("rng", "entropy", "entropy-source", "entropy");
                await Rig.BootAsync();
            }
            catch
            {
                await Rig.DisposeAsync();
                throw;
            }
        }

        public async Task DisposeAsync()
        {
            if (Rig != null)
                await Rig.DisposeAsync();
        }
    }
}
