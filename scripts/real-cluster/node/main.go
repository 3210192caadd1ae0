// A node without containers: the real kubelet over the fake runtime that Kubernetes tests its own scale with. It registers the node with
// GPUs, runs pods in name only, ends them in their time, and opens no port.
package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	fakeremote "k8s.io/cri-client/pkg/fake"
	"k8s.io/klog/v2"
	cadvisortest "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubemark"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	name := flag.String("name", "node-a", "of the node")
	gpus := flag.String("gpus", "8", "nvidia.com/gpu that it has")
	flag.Parse()
	if err := run(context.Background(), *kubeconfig, *name, *gpus); err != nil {
		klog.Fatal(err)
	}
}

func run(ctx context.Context, kubeconfig, name, gpus string) error {
	access, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := clientset.NewForConfig(access)
	if err != nil {
		return err
	}
	count, err := resource.ParseQuantity(gpus)
	if err != nil {
		return err
	}
	endpoint, err := fakeremote.GenerateEndpoint()
	if err != nil {
		return err
	}
	containers := fakeremote.NewFakeRemoteRuntime()
	if err := containers.Start(endpoint); err != nil {
		return err
	}
	defer containers.Stop()
	runtime, err := connect(ctx, endpoint)
	if err != nil {
		return err
	}
	flags, config := kubemark.GetHollowKubeletConfig(&kubemark.HollowKubeletOptions{NodeName: name, MaxPods: 110, NodeLabels: map[string]string{"nvidia.com/gpu.present": "true"}})
	ending, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		<-ending.Done()
		// Made in the folder for temporary files, by Kubernetes' own helper.
		os.RemoveAll(flags.RootDirectory)
		os.Exit(0)
	}()
	// It would listen on all addresses, and for everybody.
	config.EnableServer = false
	config.ReadOnlyPort = 0
	devices := cm.NewStubContainerManagerWithDevicePluginResource(v1.ResourceList{"nvidia.com/gpu": count})
	machine := &cadvisortest.Fake{NodeName: name}
	kubemark.NewHollowKubelet(flags, config, client, client, machine, containers.ImageService, runtime, devices).Run(ctx)
	return nil
}
